"""Verdicts on what a training loss draws at random: times and noise, from the calls of one exercise."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.kits.statistics import is_normal, is_uniform, reaches_ends


def judge_times(judge: Judge, t: Tensor, low: float = 0.0) -> None:
    """(calls, batch): independent, and uniform on [low, 1]. A `low` above 0 is the trainer's `t_min`."""
    interval = "[self.t_min, 1]" if low else "[0, 1]"
    outside = float(((t < 0) | (t > 1)).double().mean())
    judge.require(
        outside == 0,
        "time_out_of_range",
        f"Your times run from {t.min():.3f} to {t.max():.3f}: some lie outside [0, 1]. "
        + (
            "`randn` and `rand` differ by one letter."
            if (t < 0).any()
            else "Put t = 0 and t = 1 into the last line by hand."
        ),
    )
    below = float((t < low - 1e-6).double().mean())
    judge.require(
        below == 0,
        "t_min_ignored",
        f"{below:.0%} of your times lie below self.t_min. Times are uniform on {interval}.",
    )
    judge.require(
        t[0].unique().numel() > 1, "time_shared", "All samples of a batch share one time t. Each needs its own."
    )
    judge.require(
        is_irregular(t),
        "time_grid",
        "Your times lie on a regular grid. They are drawn at random, uniformly.",
    )
    judge.require(
        not torch.equal(t[0], t[1]),
        "seeded",
        "Two calls used the same random times. Do not fix a seed inside the loss.",
    )
    judge.require(
        t.unique().numel() > 0.9 * t.numel(),
        "time_discrete",
        f"Of your {t.numel():,} times only {t.unique().numel():,} are different: some come again and "
        f"again. t is uniform on the whole interval {interval}.",
    )
    judge.require(
        is_uniform(t, judge.spend_alpha(1e-7), low, 1.0),
        "time_distribution",
        f"Your times are not uniform on {interval}: their mean is {t.mean():.2f} and their standard deviation "
        f"{t.std():.2f} ({(1 + low) / 2:.2f} and {(1 - low) / 12**0.5:.2f} expected).",
    )
    judge.require(
        reaches_ends(t, judge.spend_alpha(1e-7), low, 1.0),
        "time_ends",
        f"Your {t.numel():,} times lie between {t.min():.3f} and {t.max():.3f}. Uniform ones come much closer "
        f"to both ends of {interval}, and what is never drawn is never learned.",
    )


def is_irregular(t: Tensor) -> bool:
    """Return whether the gaps between sorted times, (calls, batch), differ. Those of uniform times are exponential."""
    gaps = t.sort(dim=1).values.diff(dim=1)
    return bool(gaps.std() > 0.7 * gaps.mean())  # the ratio is 1 for uniform times, and 0.41 with one in each cell


def judge_noise(judge: Judge, noise: Tensor) -> None:
    """(calls, batch, …): independent standard normal numbers."""
    judge.require(
        not torch.equal(noise[0, 0], noise[0, 1]),
        "noise_shared",
        "All samples of a batch share the same noise. Each needs its own.",
    )
    judge.require(
        not torch.equal(noise[0], noise[1]),
        "seeded",
        "Two calls used the same noise. Do not fix a seed inside the loss.",
    )
    judge.require(
        noise.unique().numel() > 0.99 * noise.numel(),
        "noise_shared",
        "The same random numbers appear in several places of your noise. Each number of each sample needs its own.",
    )
    if is_normal(noise, judge.spend_alpha(1e-7)):
        return
    mean, deviation = float(noise.mean()), float(noise.std())
    error = noise.numel() ** -0.5  # of the mean; that of the standard deviation is smaller
    actual = f"its mean is {mean:.3f} and its standard deviation {deviation:.3f} (0 and 1 expected)"
    if abs(mean) > 4 * error:
        judge.fail("noise_mean", f"The noise is not centred: {actual}. `randn` and `rand` differ by one letter.")
    if abs(deviation - 1) > 4 * error:
        judge.fail("noise_size", f"The noise has the wrong size: {actual}. Add it as it is: the noising scales it.")
    judge.fail(
        "noise_law", f"The noise is not normal. Its mean and size are right, but not its distribution: {actual}."
    )
