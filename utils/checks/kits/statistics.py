"""Tests of distributions, each with its chance of failing a right answer (`level`)."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


def is_binomial(successes: int, trials: int, probability: float, level: float) -> bool:
    """Exact two-sided binomial test: each tail may reject with probability `level` / 2."""
    return bool(2 * smaller_tails(successes, trials, probability) >= level)


def are_binomial(counts: Tensor, trials: int, probabilities: Tensor, level: float) -> bool:
    """Exact two-sided binomial tests of many counts, which reject binomial ones with probability `level` together.

    Args:
        counts: Whole numbers, any shape.
        trials: How many trials each count has.
        probabilities: The shape of counts.
        level: The chance of rejecting.
    """
    tails = smaller_tails(counts.double().round().numpy(), trials, probabilities.double().numpy())
    return bool((2 * tails >= level / tails.size).all())


def smaller_tails(counts: np.ndarray | int, trials: int, probabilities: np.ndarray | float) -> np.ndarray:
    """Return the smaller tail of each count: the chance of so few successes or fewer, or of so many or more."""
    from scipy import special

    return np.minimum(special.bdtr(counts, trials, probabilities), special.bdtrc(counts - 1, trials, probabilities))


def is_uniform(sample: Tensor, level: float, low: float = 0.0, high: float = 1.0) -> bool:
    """Kolmogorov-Smirnov test against the uniform distribution on [low, high]."""
    return largest_gap((sample.double() - low) / (high - low)) <= largest_usual_gap(sample.numel(), level)


def is_too_even(sample: Tensor, level: float, low: float = 0.0, high: float = 1.0) -> bool:
    """Return whether numbers on [low, high] are spread more evenly than independent uniform numbers.

    The Kolmogorov-Smirnov statistic of independent numbers is this small with a probability below `level`.
    """
    return largest_gap((sample.double() - low) / (high - low)) < smallest_usual_gap(sample.numel(), level)


def largest_gap(shares: Tensor) -> float:
    """Return the Kolmogorov-Smirnov statistic: how far the distribution function of a sample is from its true one.

    Args:
        shares: The true distribution function at each number of the sample. They are uniform on [0, 1].
    """
    ordered, n = shares.flatten().sort().values, shares.numel()
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    return float(torch.maximum(steps[1:] - ordered, ordered - steps[:-1]).max())  # of a step's upper and lower end


def largest_usual_gap(n: int, level: float) -> float:
    """Return a Kolmogorov-Smirnov statistic that n numbers exceed with a probability of at most `level`.

    It is at most 2 exp(-2 n d^2), and little below for small ones, where the exact distribution takes seconds if n is
    large: Massart, "The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", Annals of Probability 18 (1990).
    """
    return math.sqrt(math.log(2 / level) / (2 * n))


@lru_cache
def smallest_usual_gap(n: int, level: float) -> float:
    """Return the Kolmogorov-Smirnov statistic that n numbers stay below with probability `level`."""
    low, high = 0.5 / n, 1 / n
    while probability_of_smaller_gap(n, high) < level:  # from below, because the work grows with the gap
        low, high = high, 1.5 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if probability_of_smaller_gap(n, middle) < level else (low, middle)
    return high


def probability_of_smaller_gap(n: int, gap: float) -> float:
    """Return the probability that the Kolmogorov-Smirnov statistic of n numbers is below `gap`, exactly.

    After Marsaglia, Tsang and Wang, "Evaluating Kolmogorov's distribution", Journal of Statistical Software 8 (2003).
    """
    k = int(n * gap) + 1
    size, rest = 2 * k - 1, k - n * gap
    steps = torch.arange(1, size + 1, dtype=torch.float64)
    matrix = torch.ones(size, size, dtype=torch.float64).tril(1)
    matrix[:, 0] -= rest**steps
    matrix[-1] -= rest ** steps.flip(0)
    matrix[-1, 0] += max(0.0, 2 * rest - 1) ** size
    below = (steps[:, None] - steps + 1).clamp(min=0)
    matrix /= torch.lgamma(below + 1).exp()
    share = math.exp((math.lgamma(n + 1) - n * math.log(n)) / n)  # n! / n^n, one factor for each of n matrices
    return float(torch.linalg.matrix_power(matrix * share, n)[k - 1, k - 1])


def reaches_ends(sample: Tensor, level: float, low: float = 0.0, high: float = 1.0) -> bool:
    """Return whether the extremes of uniform numbers on [low, high] come near enough to both ends.

    All n numbers stay away from an end by a share g of the interval with probability (1 - g)^n. Each end may reject
    right numbers with probability `level` / 2.
    """
    share = (sample.double() - low) / (high - low)
    gap = 1 - (level / 2) ** (1 / sample.numel())
    return bool(share.min() <= gap and share.max() >= 1 - gap)


def is_normal(sample: Tensor, level: float) -> bool:
    """Against N(0, 1): a Kolmogorov-Smirnov test of the shape, and exact ones of the mean and of the mean square.

    The last two detect a noise that is a little too weak. Each of the three tests may reject right numbers with
    probability `level` / 3.
    """
    from scipy import special

    numbers = sample.double().flatten()
    n, squares = len(numbers), float(numbers.square().sum())
    shape = largest_gap(torch.special.ndtr(numbers)) <= largest_usual_gap(n, level / 3)
    mean = 2 * special.ndtr(-abs(float(numbers.mean())) * n**0.5)
    square = 2 * min(special.chdtr(n, squares), special.chdtrc(n, squares))
    return shape and min(mean, square) >= level / 3


def is_same_distribution(one: Tensor, other: Tensor, level: float) -> bool:
    """Two-sample Kolmogorov-Smirnov test; samples of fewer than 8 say nothing.

    Two samples of m and n numbers differ by more than d with a probability of at most e exp(-2 d^2 m n / (m + n)):
    Wei and Dudley, "Two-sample Dvoretzky-Kiefer-Wolfowitz inequalities", Statistics and Probability Letters 82 (2012).
    """
    m, n = one.numel(), other.numel()
    if min(m, n) < 8:
        return True
    one, other = one.flatten().double().sort().values, other.flatten().double().sort().values
    places = torch.cat([one, other])
    shares = [torch.searchsorted(sample, places, right=True) / len(sample) for sample in (one, other)]
    distance = float((shares[0].double() - shares[1].double()).abs().max())
    return math.exp(1 - 2 * distance**2 * m * n / (m + n)) >= level
