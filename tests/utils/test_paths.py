"""Schedules and their derivatives, the distribution of a path, and wrong shapes."""

from __future__ import annotations

import math

import pytest
import torch

from utils.distributions import GaussianClasses
from utils.paths import Alpha, Beta, CosineAlpha, CosineBeta, GaussianPath, LinearAlpha, LinearBeta


class AnyPath(GaussianPath):
    def conditional_vector_field(self, x, z, t):
        raise NotImplementedError

    def conditional_score(self, x, z, t):
        raise NotImplementedError


@pytest.mark.parametrize("schedule", [LinearAlpha(), LinearBeta(), CosineAlpha(), CosineBeta()])
def test_derivatives_of_schedules(schedule):
    t = torch.linspace(0.01, 0.99, 25, dtype=torch.float64).reshape(-1, 1, 1, 1)
    h = 1e-6
    assert torch.allclose(schedule.dt(t), (schedule(t + h) - schedule(t - h)) / (2 * h), atol=1e-8)
    with torch.no_grad():
        assert schedule.dt(t).shape == t.shape  # works where no gradients are recorded


def test_the_path_has_the_distribution_that_it_states():
    torch.manual_seed(0)
    path = AnyPath(GaussianClasses(torch.tensor([[3.0, -2.0]]), std=0.0), (2,), CosineAlpha(), CosineBeta())
    t = torch.full((60000, 1), 0.3)
    z, _ = path.sample_conditioning_variable(len(t))
    x = path.sample_conditional_path(z, t)
    a, b = math.sin(0.15 * math.pi), math.cos(0.15 * math.pi)
    assert torch.allclose(x.mean(0), a * torch.tensor([3.0, -2.0]), atol=5 * b / math.sqrt(60000))
    assert torch.allclose(x.std(0), torch.full((2,), b), atol=0.015)


def test_wrong_shapes_are_named():
    path = AnyPath(GaussianClasses(torch.zeros(1, 1, 2, 2)), (1, 2, 2), LinearAlpha(), LinearBeta())
    z = torch.zeros(5, 1, 2, 2)
    with pytest.raises(ValueError, match=r"\(5,\).*\(b, 1, 1, 1\)"):
        path.sample_conditional_path(z, torch.rand(5))
    with pytest.raises(Exception, match="t"):
        path.sample_conditional_path(z, torch.zeros(4, 1, 1, 1))


def test_a_path_must_lead_from_noise_to_data():
    class Late(Alpha):
        def __call__(self, t):
            return 0.5 * t

    with pytest.raises(ValueError, match=r"alpha\(1\)"):
        AnyPath(GaussianClasses(torch.zeros(1, 2)), (2,), Late(), LinearBeta())
    with pytest.raises(TypeError):
        Beta()
