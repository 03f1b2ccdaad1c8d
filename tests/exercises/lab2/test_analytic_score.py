"""Exercise 2.1 against automatic differentiation of the log density and quadrature, in float64."""

from __future__ import annotations

import pytest
import torch

from tests.exercises.lab2 import oracles
from utils.atoms import SIGMA_D
from utils.checks.challenge import Challenge
from utils.checks.lab2.analytic_score import KNOWN, PUBLIC_SCORES, RUNS, TOLERANCES, Inputs, directions


@pytest.mark.parametrize("sigma", [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.5])
def test_the_score_is_the_gradient_of_the_log_density(lab2, sigma):
    x = oracles.hard_places()
    width = torch.full((len(x), 1), sigma)
    exact = oracles.exact_score(x, width, SIGMA_D)
    error = (lab2["analytic_score"](x, width, SIGMA_D) - exact).abs().max()
    assert error < 1e-9 * exact.abs().max()


def test_the_oracle_is_a_density():
    assert oracles.density(oracles.square(400), 0.05).mean().item() == pytest.approx(1, abs=1e-12)


def test_the_score_does_not_depend_on_order_and_cell(lab2):
    x, width = torch.rand(50, 2), torch.rand(50, 1) * 0.3 + 0.01
    score = lab2["analytic_score"](x, width, SIGMA_D)
    torch.testing.assert_close(lab2["analytic_score"](x.flip(1), width, SIGMA_D), score.flip(1))
    turned = lab2["analytic_score"](x + torch.tensor([1.0, -1.0]), width, SIGMA_D)
    torch.testing.assert_close(turned, score, rtol=1e-9, atol=1e-9)


def test_the_wrong_start_is_as_wrong_as_the_text_says():
    """Total variation between the noised states at t = 1 and the uniform distribution, by quadrature."""
    x = oracles.square(400)
    distances = {sigma: float((oracles.density(x, sigma) - 1).abs().mean() / 2) for sigma in (0.2, 0.3, 0.5)}
    assert distances[0.2] == pytest.approx(0.173, abs=0.001)
    assert distances[0.3] == pytest.approx(0.023, abs=0.001)
    assert distances[0.5] == pytest.approx(4e-5, abs=1e-5)
    p = oracles.density(x, 0.2)
    assert float(p.min()) == pytest.approx(0.352, abs=0.002)
    assert float(p.max()) == pytest.approx(2.0, abs=0.01)


def projected(run: str) -> float:
    """Return the public number of a run."""
    challenge = Challenge.public("lab2.analytic_score")
    inputs = Inputs.of(challenge, run)
    exact = oracles.exact_score(inputs.x.double(), inputs.sigma.detach().double(), inputs.sigma_d)
    return float((exact * directions(challenge, run)).mean())


def test_public_numbers():
    assert set(PUBLIC_SCORES) == set(RUNS) == set(TOLERANCES)
    for run, number in PUBLIC_SCORES.items():
        assert projected(run) == pytest.approx(number, abs=TOLERANCES[run] / 50)


@pytest.mark.parametrize("run", KNOWN)
def test_known_places(run):
    place, sigma, sigma_d, known = KNOWN[run]
    exact = oracles.exact_score(torch.tensor([place]), torch.full((1, 1), sigma), sigma_d)
    torch.testing.assert_close(exact, torch.tensor([known]), rtol=1e-6, atol=1e-9)
