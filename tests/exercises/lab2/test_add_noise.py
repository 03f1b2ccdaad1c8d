"""Exercise 2.2 against the moments of its definition, in float64."""

from __future__ import annotations

import math

import pytest
import torch

from utils.atoms import SIGMA_MAX, SIGMA_MIN


def test_sigma_grows_by_equal_factors_between_its_ends(lab2):
    t = torch.linspace(0, 1, 11)[:, None]
    sigma = lab2["ExponentialNoise"]().sigma(t)[:, 0]
    assert (float(sigma[0]), float(sigma[-1])) == pytest.approx((SIGMA_MIN, SIGMA_MAX), rel=1e-12)
    factors = sigma[1:] / sigma[:-1]
    torch.testing.assert_close(factors, factors[:1].expand(10))


def test_noised_places_have_the_fourier_modes_of_a_wrapped_gaussian(lab2):
    """E[exp(2 pi i m (x - x0))] = exp(-2 pi² m² sigma²), by quadrature over the noise."""
    schedule = lab2["ExponentialNoise"](0.05, 0.6)
    noise = torch.linspace(-8, 8, 4001)[:, None]
    weights = torch.exp(-(noise**2) / 2)
    weights = weights / weights.sum()
    x0 = torch.full_like(noise, 0.9)
    for time in (0.0, 0.5, 1.0):
        t = torch.full_like(noise, time)
        x, sigma = schedule.add_noise(x0, t, noise), float(schedule.sigma(t[:1]))
        assert x.min() >= 0 and x.max() < 1
        for mode in (1, 2):
            wave = (weights * torch.cos(2 * math.pi * mode * (x - x0))).sum()
            assert float(wave) == pytest.approx(math.exp(-2 * math.pi**2 * mode**2 * sigma**2), abs=1e-9)
