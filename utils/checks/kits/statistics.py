"""Tests of distributions, each with its chance of failing a right answer (`level`)."""

from __future__ import annotations

from torch import Tensor


def is_binomial(successes: int, trials: int, probability: float, level: float) -> bool:
    """Exact two-sided binomial test: each tail may reject with probability `level` / 2."""
    from scipy import special

    at_most = special.bdtr(int(successes), int(trials), probability)
    at_least = special.bdtrc(int(successes) - 1, int(trials), probability)
    return 2 * min(at_most, at_least) >= level


def is_uniform(sample: Tensor, level: float, low: float = 0.0, high: float = 1.0) -> bool:
    """Kolmogorov-Smirnov test against the uniform distribution on [low, high]."""
    from scipy import stats

    return stats.kstest(sample.flatten().numpy(), "uniform", args=(low, high - low)).pvalue >= level


def is_too_even(sample: Tensor, level: float, low: float = 0.0, high: float = 1.0) -> bool:
    """Return whether numbers on [low, high] are spread more evenly than independent uniform numbers.

    The Kolmogorov-Smirnov statistic of independent numbers is this small with a probability below `level`.
    """
    from scipy import stats

    statistic = stats.kstest(sample.flatten().numpy(), "uniform", args=(low, high - low)).statistic
    return bool(stats.kstwo.cdf(statistic, sample.numel()) < level)


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
    from scipy import stats

    numbers = sample.double().flatten().numpy()
    shape = stats.kstest(numbers, "norm").pvalue
    mean = 2 * stats.norm.sf(abs(numbers.mean()) * len(numbers) ** 0.5)
    square = 2 * min(stats.chi2.cdf((numbers**2).sum(), len(numbers)), stats.chi2.sf((numbers**2).sum(), len(numbers)))
    return min(shape, mean, square) >= level / 3


def is_same_distribution(one: Tensor, other: Tensor, level: float) -> bool:
    """Two-sample Kolmogorov-Smirnov test; samples of fewer than 8 say nothing."""
    from scipy import stats

    if min(one.numel(), other.numel()) < 8:
        return True
    return stats.ks_2samp(one.flatten().numpy(), other.flatten().numpy()).pvalue >= level
