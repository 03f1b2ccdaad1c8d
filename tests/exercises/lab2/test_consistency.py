"""Exercise 2.6 against quadrature and automatic differentiation of log K, in float64."""

from __future__ import annotations

import math

import pytest
import torch

from tests.exercises.lab2 import oracles
from utils.atoms import SIGMA_D
from utils.checks.challenge import Challenge
from utils.checks.kits.inputs import in_double
from utils.checks.lab2.consistency import PUBLIC_TARGETS, RUNS, Inputs


def test_scores_at_two_times_agree(lab2):
    """The identity behind consistency, by quadrature over y: s_t(x) = E[grad log K(x - y) | x]."""
    start, end = 0.15, 0.1
    y = oracles.square(300)
    ones = torch.ones(len(y), 1)
    gap = math.sqrt(start**2 - end**2)
    for x in torch.tensor([[0.05, 0.4], [0.5, 0.52]]):
        kernel = oracles.log_wrapped(x - y, (gap * ones).expand_as(y)).sum(1).exp()
        share = oracles.density(y, end) * kernel
        share = (share / share.sum())[:, None]
        target = lab2["consistency_target"](x.expand_as(y), y, start * ones, end * ones)
        score = lab2["analytic_score"](x[None], start * ones[:1], SIGMA_D)[0]
        torch.testing.assert_close((share * target).sum(0), start * score, rtol=1e-8, atol=1e-8)


def test_one_step_of_a_networks_own_score_teaches_nothing(lab2):
    """The mean target after one step is the network's own output, right or wrong; after several steps it is not."""
    schedule, walks = lab2["ExponentialNoise"](), 400_000
    x, t = torch.tensor([[0.3, 0.6]]).repeat(walks, 1), torch.full((walks, 1), 0.7)

    def network(x, t):  # a random field
        return torch.cos(2 * math.pi * x + 3 * t) * 0.7

    def mean_target(steps):
        y = x
        for i in range(steps):
            now, later = (schedule.sigma(t - j / 20) for j in (i, i + 1))
            y = lab2["predictor_step"](y, network(y, t - i / 20) / now, now, later, torch.randn_like(y))
        target = lab2["consistency_target"](x, y, schedule.sigma(t), later)
        return target.mean(0), target.std(0) / math.sqrt(walks)

    output = network(x[:1], t[:1])[0]
    mean, error = mean_target(1)
    assert ((mean - output).abs() < 5 * error).all()
    mean, error = mean_target(8)
    assert ((mean - output).abs() > 10 * error).any()


def size(run: str) -> float:
    """Return the public number of a run."""
    inputs = in_double(Inputs.of(Challenge.public("lab2.consistency"), run))
    width = (inputs.sigma_start**2 - inputs.sigma_end**2).sqrt()
    target = inputs.sigma_start * oracles.kernel_score(inputs.x, inputs.y, width)
    return float(target.abs().mean())


def test_public_numbers():
    assert set(PUBLIC_TARGETS) == set(RUNS)
    for run, number in PUBLIC_TARGETS.items():
        assert size(run) == pytest.approx(number, rel=1e-6)
