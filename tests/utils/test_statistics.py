"""The statistical tests of the verdicts, against SciPy's distributions."""

import math

import pytest
import torch
from scipy import stats

from utils.checks.kits.statistics import (
    is_normal,
    is_same_distribution,
    largest_gap,
    largest_usual_gap,
    probability_of_smaller_gap,
    smallest_usual_gap,
)


@pytest.mark.parametrize("n", [1, 8, 37, 256, 600])
def test_the_statistic_is_that_of_kolmogorov_and_smirnov(n):
    shares = torch.rand(n, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    assert largest_gap(shares) == pytest.approx(stats.kstest(shares.numpy(), "uniform").statistic, abs=1e-14)


@pytest.mark.parametrize("n", [128, 256, 18_000])
@pytest.mark.parametrize("level", [1e-9, 5e-8, 1e-4, 0.01])
def test_so_large_a_statistic_is_as_rare_as_the_level_says(n, level):
    chance = stats.kstwo.sf(largest_usual_gap(n, level), n)
    assert 0.5 * level < chance <= level


@pytest.mark.parametrize("n", [8, 37, 256, 20_000])
@pytest.mark.parametrize("level", [1e-9, 5e-8, 1e-4])
def test_so_small_a_statistic_is_as_rare_as_the_level_says(n, level):
    assert smallest_usual_gap(n, level) == pytest.approx(stats.kstwo.ppf(level, n), rel=1e-6)


@pytest.mark.parametrize(("n", "gap"), [(1, 0.7), (8, 0.1), (8, 0.5), (37, 0.05), (256, 0.02), (256, 0.08)])
def test_the_exact_distribution(n, gap):
    assert probability_of_smaller_gap(n, gap) == pytest.approx(stats.kstwo.cdf(gap, n), rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("scale", [1.0, 0.97, 1.2])
@pytest.mark.parametrize("shift", [0.0, 0.05])
def test_normal_numbers_are_judged_as_by_scipy(scale, shift):
    numbers = scale * torch.randn(900, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + shift
    square = float(numbers.square().sum())
    chances = [
        stats.kstest(numbers.numpy(), "norm").pvalue,
        2 * stats.norm.sf(abs(float(numbers.mean())) * 30),
        2 * min(stats.chi2.cdf(square, 900), stats.chi2.sf(square, 900)),
    ]
    limit = 3 * min(chances)  # each of the three has a third of the level
    assert is_normal(numbers, min(0.9, 0.9 * limit)) and not (1.1 * limit < 1 and is_normal(numbers, 1.1 * limit))


def test_two_samples_are_told_apart_no_more_often_than_the_level_says():
    one, other = torch.linspace(0, 1, 60), torch.linspace(0, 1, 90)
    assert is_same_distribution(one, other, 0.5) and is_same_distribution(one[:7], other + 5, 1e-9)
    assert not is_same_distribution(one, other + 0.9, 1e-9)
    statistic = stats.ks_2samp(one.numpy(), (other + 0.3).numpy())
    bound = math.exp(1 - 2 * statistic.statistic**2 * 60 * 90 / 150)
    assert statistic.pvalue <= bound  # the bound is never too small
    assert is_same_distribution(one, other + 0.3, 0.99 * bound) != is_same_distribution(one, other + 0.3, 1.01 * bound)
