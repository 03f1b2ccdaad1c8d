"""Verdicts on the times that a training loss draws, from the calls of one exercise.

All calls must be calls of one trainer. Two trainers may draw the same numbers, each from a generator of its own.
"""

from __future__ import annotations

import math

from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.kits.draws import FEW_VALUES, MARGINAL_LEVEL, has_partners, is_irregular, repeats_a_call
from utils.checks.kits.statistics import is_too_even, is_uniform, reaches_ends

EVEN_LEVEL = 1e-9  # chance that independent times look stratified
TIME_STEP = 2**-23  # right times, in float32, are equal to each other with a lower probability
TIME_ROUNDING = 1e-5  # times that differ by less are the same one
SHARED_TIMES_LEVEL = 2e-9  # chance that the right times look shared, or kept by one place of the batch


def judge_times(judge: Judge, t: Tensor, low: float = 0.0) -> None:
    """Fail unless times are uniform on [low, 1] and not arranged.

    Args:
        judge: The judge of the exercise.
        t: Times, (calls, batch).
        low: Above 0, it is the trainer's `t_min`.
    """
    interval = "[self.t_min, 1]" if low else "[0, 1]"
    require_in_range(judge, t, low, interval)
    judge.require(
        t[0].unique().numel() > 1, "time_shared", "All samples of a batch share one time t. Each needs its own."
    )
    judge.require(
        is_irregular(t),
        "time_grid",
        "Your times lie on a regular grid. They are drawn at random, uniformly.",
    )
    judge.require(
        not repeats_a_call(t),
        "seeded",
        "Two calls used the same random times. Draw new times in every call: neither fix a seed nor restore the "
        "state of a generator in the loss.",
    )
    different = [row.unique().numel() for row in t]
    judge.require(
        t.unique().numel() > 0.9 * sum(different) and min(different) > FEW_VALUES * min(t.shape[1] / 100, 1),
        "time_discrete",
        f"Of your {t.numel():,} times only {t.unique().numel():,} are different: some come again and "
        f"again. t is uniform on the whole interval {interval}.",
    )
    judge.require(
        is_uniform(t, judge.spend_alpha(MARGINAL_LEVEL), low, 1.0),
        "time_distribution",
        f"Your times are not uniform on {interval}: their mean is {t.mean():.2f} and their standard deviation "
        f"{t.std():.2f} ({(1 + low) / 2:.2f} and {(1 - low) / 12**0.5:.2f} expected).",
    )
    judge.require(
        reaches_ends(t, judge.spend_alpha(MARGINAL_LEVEL), low, 1.0),
        "time_ends",
        f"Your {t.numel():,} times lie between {t.min():.3f} and {t.max():.3f}. Uniform ones come much closer "
        f"to both ends of {interval}, and what is never drawn is never learned.",
    )
    require_separate_times(judge, t)
    require_changing_places(judge, t, low)
    require_unarranged(judge, t, low, interval)


def require_separate_times(judge: Judge, t: Tensor) -> None:
    """Fail if in most calls two samples of the batch have the same time.

    The earliest and the latest of all times do not count: where times are cut off, they are equal for another reason.

    Args:
        judge: The judge of the exercise.
        t: Times, (calls, batch).
    """
    calls, batch = t.shape
    between = [row[(row > t.min()) & (row < t.max())] for row in t]
    found = sum(len(row.unique()) < len(row) for row in between)
    same = batch**2 / 2 * TIME_STEP  # the chance that two of a batch's right times are equal
    most = math.ceil(0.75 * calls)
    if 2.0**calls * same**most > SHARED_TIMES_LEVEL:
        return  # in so large a batch some are equal
    judge.spend_alpha(SHARED_TIMES_LEVEL)
    judge.require(
        found < most,
        "times_shared",
        f"In {found} of {calls} calls some samples of the batch have the same time. Each sample draws its own.",
    )


def require_changing_places(judge: Judge, t: Tensor, low: float) -> None:
    """Fail if the sample at some place of the batch has the same time in all calls.

    Args:
        judge: The judge of the exercise.
        t: Times that are uniform on [low, 1], (calls, batch).
        low: The earliest time.
    """
    calls, batch = t.shape
    # n uniform times lie within a range of w with a probability of at most n w^(n - 1)
    width = (judge.spend_alpha(SHARED_TIMES_LEVEL) / calls / batch) ** (1 / (calls - 1)) * (1 - low)
    spread, place = (t.amax(0) - t.amin(0)).min(0)
    judge.require(
        spread >= min(width, TIME_ROUNDING),
        "place_differs",
        f"The sample at place {int(place)} of the batch has the time {float(t[0, place]):.3g} in every call. "
        "The times of all places are drawn alike.",
    )


def require_in_range(judge: Judge, t: Tensor, low: float, interval: str) -> None:
    """Fail if times lie outside [0, 1], or below `low`."""
    outside = float(((t < 0) | (t > 1)).double().mean())
    judge.require(
        outside == 0,
        "time_out_of_range",
        f"Your times run from {t.min():.3f} to {t.max():.3f}: some lie outside [0, 1]. "
        + (
            "`randn` and `rand` differ by one letter."
            if t.min() < -1 and t.max() > 1
            else "Put the random numbers 0 and 1 into your formula for t, by hand."
        ),
    )
    below = float((t < low - 1e-6).double().mean())
    judge.require(
        below == 0,
        "t_min_ignored",
        f"{below:.0%} of your times lie below self.t_min. Times are uniform on {interval}.",
    )


def require_unarranged(judge: Judge, t: Tensor, low: float, interval: str) -> None:
    """Fail if times are mirrored in the middle of the interval, or spread evenly over it."""
    judge.require(
        not has_partners((t - (1 + low) / 2).abs()),
        "time_mirrored",
        f"Your times come in pairs, each as far from the middle of {interval} as the other. "
        "The times of two samples are independent: draw each of them.",
    )
    judge.spend_alpha(EVEN_LEVEL)
    judge.require(
        not any(is_too_even(row, EVEN_LEVEL / len(t), low, 1.0) for row in t),
        "time_stratified",
        f"The times of a batch are spread over {interval} more evenly than random numbers are, as if each had a part "
        "of the interval to itself. The times of two samples are independent: draw them with `torch.rand` alone.",
    )
