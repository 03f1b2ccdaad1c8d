"""Is a place of the batch, such as the first, treated like all others? Many calls with small batches tell."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.kits.statistics import is_uniform

PLACES_LEVEL = 1e-8  # chance that one of the tests below rejects right draws


def require_alike_places(judge: Judge, times: Tensor) -> None:
    """Fail if the times at one place of the batch have another distribution than uniform on [0, 1].

    Args:
        judge: The judge of the exercise.
        times: Uniform on [0, 1], (calls, b). For integer steps pass (t + 1/2) / T.
    """
    level = judge.spend_alpha(PLACES_LEVEL) / 10 / times.shape[1]  # steps change the statistic by 1 / (2 T): tenfold
    for place, column in enumerate(times.T):
        judge.require(
            is_uniform(column, level),
            "place_differs",
            f"In {len(times)} calls with batches of {times.shape[1]}, the times of sample {place} of the batch are not "
            f"uniform: they have the mean {column.mean():.2f} and the standard deviation {column.std():.2f}. "
            "All samples of a batch draw theirs alike.",
        )


def pairs_alike(values: Tensor) -> Iterator[tuple[int, int, float]]:
    """Yield each pair of places, and the share of calls in which both have the same value.

    Args:
        values: (calls, b).
    """
    for one, other in itertools.combinations(range(values.shape[1]), 2):
        yield one, other, float((values[:, one] == values[:, other]).double().mean())


def require_separate_places(judge: Judge, times: Tensor, values: int) -> None:
    """Fail if two places of the batch have the same time in half of the calls or more.

    Args:
        judge: The judge of the exercise.
        times: (calls, b).
        values: How many values a time can take, each with the same probability.
    """
    calls, b = times.shape
    half = (calls + 1) // 2
    # A binomial tail is at most (calls choose half) p^half; the chance of it in any pair is far below the level.
    assert b**2 / 2 * 2.0**calls * values**-half < judge.spend_alpha(PLACES_LEVEL)
    for one, other, share in pairs_alike(times):
        judge.require(
            share * calls < half,
            "times_shared",
            f"In {share:.0%} of {calls} calls, samples {one} and {other} of the batch have the same time. "
            "Each sample draws its own.",
        )


def require_separate_coins(judge: Judge, coins: Tensor) -> None:
    """Fail unless each place of the batch has a fair coin of its own.

    Args:
        judge: The judge of the exercise.
        coins: Booleans, each true with probability 1/2, (calls, b).
    """
    from scipy import special

    calls, b = coins.shape
    assert b**2 * 2.0**-calls < judge.spend_alpha(PLACES_LEVEL)
    for one, other, share in pairs_alike(coins):
        judge.require(
            0 < share < 1,
            "coins_shared",
            f"In all of {calls} calls with eta = 0.5, samples {one} and {other} of the batch "
            f"{'both lose their labels or both keep them' if share else 'never lose their labels together'}. "
            "Each label is dropped independently of the others.",
        )
    level = judge.spend_alpha(PLACES_LEVEL) / b
    for place, dropped in enumerate(coins.sum(0).tolist()):
        judge.require(
            2 * special.bdtr(min(dropped, calls - dropped), calls, 0.5) >= level,
            "rows_not_alike",
            f"In {calls} calls with eta = 0.5, sample {place} of the batch lost its label {dropped} times. "
            "Each label is dropped with the same probability.",
        )
