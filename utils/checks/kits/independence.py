"""A test of independence with an exact level: do numbers that should be independent and uniform depend on each other?

A uniform number u has the waves cos(k pi u), with mean 0 and values between -1 and 1. The product of two waves of two
independent numbers has mean 0 and variance 1/4, so Bernstein's inequality bounds the sum of n such products.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

FREQUENCIES = 3  # of the waves: 1 sees a trend, 2 sees a dependence on the size, 3 a finer one


def waves(uniform: Tensor) -> Tensor:
    """Return cos(k pi u) for each frequency k.

    Args:
        uniform: Numbers in [0, 1], (n, d).

    Returns:
        The waves, (n, FREQUENCIES * d).
    """
    angles = math.pi * torch.arange(1, FREQUENCIES + 1, dtype=torch.float64)
    return torch.cos(uniform.double()[:, None, :] * angles[:, None]).flatten(1)


def largest_sum(n: int, tests: int, level: float) -> float:
    """Return what the sum of n products of waves exceeds with a probability of at most `level` in any of the tests.

    Args:
        n: The number of independent pairs.
        tests: The number of sums that are looked at.
        level: The chance that one of them exceeds the limit although all numbers are independent.
    """
    size = math.log(2 * tests / level)  # Bernstein: 2 exp(-s² / 2 / (n / 4 + s / 3)) = level / tests
    return size / 3 + math.sqrt(size**2 / 9 + size * n / 2)


def are_dependent(one: Tensor, other: Tensor, level: float) -> bool:
    """Return whether a column of one table depends on a column of the other.

    Args:
        one: Independent rows of numbers that are uniform on [0, 1], (n, d).
        other: The same number of such rows, (n, e).
        level: The chance of True for independent tables.
    """
    first, second = waves(one), waves(other)
    sums = (first.T @ second).abs()
    return bool(sums.max() > largest_sum(len(one), sums.numel(), level))


def are_columns_dependent(table: Tensor, level: float) -> bool:
    """Return whether two columns of a table depend on each other.

    Args:
        table: Independent rows of numbers that are uniform on [0, 1], (n, d).
        level: The chance of True for independent columns.
    """
    columns = table.shape[1]
    if columns < 2:
        return False
    both = waves(table)
    sums = (both.T @ both).abs()
    sums = sums.reshape(FREQUENCIES, columns, FREQUENCIES, columns)
    sums = sums * (1 - torch.eye(columns, dtype=torch.float64)[:, None, :])  # a column depends on itself
    return bool(sums.max() > largest_sum(len(table), sums.numel(), level))
