"""The number of up spins in a lattice, by which lab 1 compares distributions: counted, exact, and tilted."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.toy_problems import ToyProblem, up_spin_pmf


def count_up(x: Tensor) -> Tensor:
    """Return how many spins point up.

    Args:
        x: lattices, shape (n, sites, 1). A spin above 0 points up.

    Returns:
        Integers, shape (n,).

    Example:
        >>> count_up(torch.tensor([[[1.0], [-0.9]], [[0.8], [1.1]]])).tolist()
        [1, 2]
    """
    return (x[..., 0] > 0).sum(1)


def histogram(counts: Tensor, sites: int) -> Tensor:
    """Return the share of each number of up spins.

    Args:
        counts: integers from 0 to sites, shape (n,), at least one.
        sites: the number of sites.

    Returns:
        Shares that add up to 1, shape (sites + 1,), float64.

    Example:
        >>> histogram(torch.tensor([0, 2, 2, 2]), 2).tolist()
        [0.25, 0.0, 0.75]
    """
    return torch.bincount(counts, minlength=sites + 1).double() / len(counts)


def total_variation(p: Tensor, q: Tensor) -> float:
    """Return half the sum of the absolute differences of two distributions.

    Args:
        p: probabilities, shape (k,).
        q: probabilities, shape (k,).

    Returns:
        0 for equal distributions, 1 for distributions that have no value in common.

    Example:
        >>> total_variation(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5]))
        0.5
    """
    return float((p - q).abs().sum() / 2)


def tilted_pmf(problem: ToyProblem, label: int, w: float) -> Tensor:
    """Return p(k) p(y | k)^w, normalised, exactly: the distribution at w = 0, of the class at w = 1, and tilted beyond.

    Args:
        problem: a problem of spins whose sites are all alike.
        label: the class y.
        w: the power, at least 0.

    Returns:
        The probability of each number k of up spins, shape (sites + 1,), float64.
    """
    per_class = up_spin_pmf(problem)
    whole = problem.prior.double() @ per_class
    posterior = problem.prior[label] * per_class[label] / whole.clamp_min(1e-300)
    pmf = whole * posterior**w
    return pmf / pmf.sum()


def chance_distance(pmf: Tensor, n: int, draws: int = 50, seed: int = 0) -> float:
    """Return the mean total variation between a distribution and a histogram of n draws from it.

    Args:
        pmf: probabilities, shape (k,).
        n: draws in a histogram.
        draws: how many histograms are averaged.
        seed: of the random numbers.

    Returns:
        A number in [0, 1]: what chance alone does.
    """
    source = torch.Generator().manual_seed(seed)
    counts = torch.multinomial(pmf, draws * n, replacement=True, generator=source).reshape(draws, n)
    return sum(total_variation(histogram(row, len(pmf) - 1), pmf) for row in counts) / draws
