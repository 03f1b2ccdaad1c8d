"""Exercise 2.4 against affine maps, the distribution of samples, and NumPy, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from utils.atoms import SIGMA_D, SIGMA_MIN, distance_to_crystal, generate, uniform_states
from utils.checks.challenge import Challenge
from utils.checks.kits.inputs import in_double, tensors_of
from utils.checks.lab2.predictor_corrector import EDGES, ENDS, KNOWN_FACTORS, PUBLIC_STEPS, RUNS, TERMS, Inputs


def test_steps_on_a_gaussian_are_the_affine_maps_that_are_known(lab2):
    """For N(m, V) with its exact score, a predictor step shrinks x - m by 1 - g²/V and adds g² of variance.

    A Langevin step shrinks it by 1 - step/V.
    """
    m, V = 0.5, 0.01
    x, noise = m + 0.05 * torch.randn(200, 1), torch.randn(200, 1)
    score = -(x - m) / V
    now, later = torch.full_like(x, 0.09), torch.full_like(x, 0.07)
    g2 = 0.09**2 - 0.07**2
    expected = m + (1 - g2 / V) * (x - m) + math.sqrt(g2) * noise
    torch.testing.assert_close(lab2["predictor_step"](x, score, now, later, noise), expected % 1)
    step = torch.full_like(x, 1e-3)
    expected = m + (1 - 0.1) * (x - m) + math.sqrt(2e-3) * noise
    torch.testing.assert_close(lab2["corrector_step"](x, score, step, noise), expected % 1)


def test_distances_of_samples_are_rayleigh_and_both_orders_appear(lab2):
    schedule = lab2["ExponentialNoise"]()
    n = 4000
    x = generate(
        lambda x, t: lab2["analytic_score"](x, schedule.sigma(t), SIGMA_D),
        schedule,
        lab2["predictor_step"],
        lab2["corrector_step"],
        uniform_states(n, dtype=torch.float64),
        steps=200,
    )
    expected = math.hypot(SIGMA_D, SIGMA_MIN) * math.sqrt(math.pi / 2)
    assert distance_to_crystal(x).mean().item() == pytest.approx(expected, rel=0.05)
    first = ((x[:, 0] - 0.25).abs() < 0.1).double().mean().item()
    assert first == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(n))


def wave(name: str, run: str) -> float:
    """Return the public number of a step by hand-written NumPy."""
    challenge = Challenge.public("lab2.predictor_corrector")
    v = {key: value.numpy() for key, value in tensors_of(in_double(Inputs.of(challenge, run))).items()}
    drift = v["sigma"] ** 2 - v["sigma_next"] ** 2 if name == "predictor" else v["step"]
    width = np.sqrt(drift if name == "predictor" else 2 * drift)
    state = v["x"] + drift * v["score"] + width * v["noise"]
    phases = challenge.rand(f"{run} phases", state.shape).numpy()
    return np.cos(2 * np.pi * (state - phases)).mean()


def test_public_numbers():
    assert {run for _, run in PUBLIC_STEPS} == set(RUNS)
    for (name, run), number in PUBLIC_STEPS.items():
        assert wave(name, run) == pytest.approx(number, abs=1e-5 if run.endswith("single") else 1e-7)


@pytest.mark.parametrize("run", EDGES)
def test_ends_of_steps_around_the_ring(run):
    """Both steps have the same width there."""
    term = EDGES[run]
    for variance in (term.sigma**2 - term.sigma_next**2, 2 * term.step):
        assert (term.x + math.sqrt(variance) * term.noise) % 1 == pytest.approx(ENDS[run], abs=1e-9)


@pytest.mark.parametrize(("name", "run"), KNOWN_FACTORS)
def test_known_factors(name, run):
    """By the variances: a predictor step removes a difference of two, a Langevin step of size h adds 2 h."""
    term = TERMS[run]
    variance = term.sigma**2 - term.sigma_next**2 if name == "predictor" else 2 * term.step
    drift = variance if name == "predictor" else term.step
    assert KNOWN_FACTORS[name, run] == pytest.approx(drift if term.score else math.sqrt(variance), rel=1e-9)
