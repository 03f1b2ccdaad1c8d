"""The few-step challenge counts calls, and its score is a mean of logarithms."""

import pytest
import torch

from utils.few_steps import BUDGETS, few_step_distances, few_step_score

NOISE = torch.randn(60, 1, 2, 2, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(60) % 10


def drift(x, t, y, w):
    assert t.shape == (len(x), 1, 1, 1) and y.shape == (len(x),)
    return w * torch.ones_like(x)


def distances(sampler):
    return few_step_distances(sampler, drift, NOISE, LABELS, lambda x: x.flatten(1), NOISE.flatten(1))


def test_distances_are_those_of_the_samples():
    def shifted(velocity, x, calls):
        for call in range(calls):
            x = x + velocity(x, call / calls, 3.0) / calls
        return x

    # four features, each moved by 3
    assert distances(shifted) == pytest.approx(dict.fromkeys(BUDGETS, 36.0), rel=1e-4)


def test_a_sampler_that_calls_too_often_is_told_so():
    with pytest.raises(ValueError, match="calls the velocity 2 times, and only 1 are allowed"):
        distances(lambda velocity, x, calls: velocity(velocity(x, 0.0, 1.0), torch.tensor(0.5), 1.0))


def test_a_distance_half_as_large_is_one_point_less():
    assert few_step_score({1: 4.0, 2: 4.0}, 1.0) - few_step_score({1: 2.0, 2: 2.0}, 1.0) == pytest.approx(1.0)
