"""Are random numbers independent? Tests of correlation, of two samples or of many at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from utils.checks.judging import Judge

# r sqrt(n) of n independent pairs is nearly standard normal, so it exceeds the limit with a chance below LEVEL.
LIMIT, LEVEL = 5.5, 1e-7


def are_correlated(judge: Judge, one: Tensor, other: Tensor) -> bool:
    """Return whether two samples are correlated, and declare the chance that independent ones are.

    Args:
        judge: The judge of the exercise.
        one: Random numbers, (n,): normal, uniform or booleans.
        other: The same number of them, (n,).
    """
    judge.spend_alpha(LEVEL)
    correlation = float(torch.corrcoef(torch.stack([one, other]).double())[0, 1])
    return not abs(correlation) * len(one) ** 0.5 < LIMIT


Pairs = Sequence[tuple[Tensor, Tensor]]


def first_dependent(pairs: Pairs, level: float) -> int | None:
    """Return the place of the first pair of samples that are correlated, or None.

    r sqrt(n) of n independent pairs is nearly standard normal. Each pair gets an equal share of `level`.

    Args:
        pairs: Two samples each, (n,): uniform, normal, or absolute values of normal numbers. A constant one is skipped.
        level: The chance of calling independent samples dependent.
    """
    from scipy import special

    limit = -special.ndtri(level / (2 * max(len(pairs), 1)))
    for place, (one, other) in enumerate(pairs):
        both = torch.stack([one.flatten(), other.flatten()]).double()
        if (both.std(1) == 0).any():
            continue
        if abs(float(torch.corrcoef(both)[0, 1])) * both.shape[1] ** 0.5 > limit:
            return place
    return None


def within(sample: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return pairs that show how the numbers of one sample depend on each other, (n,).

    Neighbours, the two halves one after the other, and the two halves as mirror images: so antithetic numbers show.
    """
    half = len(sample) // 2
    first, second = sample[:half], sample[half : 2 * half]
    return [(sample[:-1], sample[1:]), (first, second), (first, second.flip(0))]


def columns(noise: Tensor) -> list[Tensor]:
    """Return each coordinate of noise, (n, …), and its absolute value: (n,) each."""
    flat = noise.flatten(1)
    return [values for column in flat.unbind(1) for values in (column, column.abs())]


def noise_with_itself(noise: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return pairs that show how normal numbers, (n, …), depend on each other, from row to row and within a row."""
    flat = noise.flatten(1)
    rows = [pair for column in columns(noise) for pair in within(column)]
    couples = list(itertools.combinations(flat.unbind(1), 2))
    return rows + couples + [(one.abs(), other.abs()) for one, other in couples]


def noise_with_others(noise: Tensor, *others: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return pairs that show how normal numbers, (n, …), depend on other numbers, (n,) each."""
    flat = noise.flatten(1)
    features = [*columns(noise), flat.mean(1), flat.abs().mean(1), noise.flatten()[: len(noise)]]
    features.append(features[-1].abs())  # the first n numbers in the order in which they were drawn
    return [(feature, other.flatten()) for feature in features for other in others]
