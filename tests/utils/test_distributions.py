"""Distributions have the means and the standard deviations that they state."""

from __future__ import annotations

import math

import torch

from utils.distributions import GaussianClasses, IsotropicGaussian


def test_std_is_the_standard_deviation():
    torch.manual_seed(0)
    x, y = IsotropicGaussian((3,), std=2.0, mean=1.0).sample(40000)
    assert y is None
    assert abs(x.std().item() - 2.0) < 5 * 2.0 / math.sqrt(2 * x.numel())
    assert abs(x.mean().item() - 1.0) < 5 * 2.0 / math.sqrt(x.numel())


def test_classes_have_their_means():
    torch.manual_seed(0)
    means = torch.tensor([[0.0, 4.0], [7.0, -1.0]])
    x, y = GaussianClasses(means, std=0.5).sample(20000)
    assert y.dtype == torch.int64 and abs(y.double().mean().item() - 0.5) < 0.02
    for k in (0, 1):
        assert torch.allclose(x[y == k].mean(0), means[k], atol=0.03)
        assert torch.allclose(x[y == k].std(0), torch.full((2,), 0.5), atol=0.02)
