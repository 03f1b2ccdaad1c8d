"""Euler and Heun on a linear flow, whose discrete solutions are products."""

from __future__ import annotations

import pytest
import torch

from tests.exercises.lab4.oracles import GRID, GaussianFlow, euler_gain
from utils.checks.challenge import Challenge
from utils.checks.lab4.euler_heun import PUBLIC_STATES, state_probe
from utils.checks.lab4.euler_heun_inputs import RUNS, Inputs
from utils.checks.stubs import RandomField


@pytest.mark.parametrize("std", [0.5, 2.0])
def test_euler_on_a_bent_grid_has_its_exact_gain(lab, std):
    x, mean = torch.randn(30, 1, 1, 2), torch.tensor([[[[0.7, -3.0]]]])
    end = lab["EulerSimulator"](GaussianFlow(mean, std)).simulate(x, GRID)
    torch.testing.assert_close(end, mean + euler_gain(std) * x)


def test_heun_on_a_bent_grid_has_its_exact_gain(lab):
    std, x, mean = 0.5, torch.randn(30, 1, 1, 2), torch.tensor([[[[0.7, -3.0]]]])
    end = lab["HeunSimulator"](GaussianFlow(mean, std)).simulate(x, GRID)
    k = (GRID * std**2 - (1 - GRID)) / (GRID**2 * std**2 + (1 - GRID) ** 2)
    h = GRID.diff()
    gain = (1 + h * (k[:-1] + k[1:]) / 2 + h**2 * k[:-1] * k[1:] / 2).prod()
    torch.testing.assert_close(end, mean + gain * x)


@pytest.mark.parametrize("steps, gain", [(2, 0.2), (4, 0.34054054), (10, 0.4307826), (100, 0.49264548)])
def test_euler_gains_that_were_computed_elsewhere(lab, steps, gain):
    x = torch.ones(1, 1, 1, 1)
    end = lab["EulerSimulator"](GaussianFlow(torch.zeros(1), 0.5)).simulate(x, torch.linspace(0, 1, steps + 1).double())
    assert end.item() == pytest.approx(gain, abs=5e-8)


def one_sample(short, drift, x, t, h, y, context):
    """Return the new state of one sample by a Butcher tableau, with Python numbers for t and h."""
    nodes, weights = {"euler": ([0.0], [1.0]), "heun": ([0.0, 1.0], [0.5, 0.5])}[short]
    slopes = []
    for node in nodes:
        trial = x + (node * h * slopes[-1] if slopes else 0)
        slopes.append(drift(trial[None], torch.tensor([t + node * h]), torch.tensor([y]), torch.tensor([context]))[0])
    return x + h * sum(weight * slope for weight, slope in zip(weights, slopes, strict=True))


@pytest.mark.parametrize("short", ["euler", "heun"])
@pytest.mark.parametrize("run", RUNS)
def test_the_public_numbers_of_the_states_come_from_an_oracle(short, run):
    challenge = Challenge.public("lab4.euler_heun")
    inputs, drift = Inputs.of(challenge, run), RandomField(challenge, "drift")
    times, sizes = inputs.t.flatten().tolist(), inputs.h.flatten().tolist()
    context = inputs.context.tolist()
    samples = zip(inputs.x.double(), times, sizes, inputs.y.tolist(), context, strict=True)
    state = torch.stack([one_sample(short, drift, *sample) for sample in samples])
    mean = (state * state_probe(challenge, run)).mean().item()
    assert mean == pytest.approx(PUBLIC_STATES[short][run], abs=1e-7)
