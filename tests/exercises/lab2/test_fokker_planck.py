"""Exercise 2.5 against exact solutions, closed forms and forward-mode derivatives, in float64."""

from __future__ import annotations

import pytest
import torch

from tests.exercises.lab2 import oracles
from utils.atoms import SIGMA_D
from utils.checks.challenge import Challenge
from utils.checks.kits.inputs import in_double
from utils.checks.lab2.fokker_planck import PUBLIC_GRADIENTS, PUBLIC_RESIDUALS, TOY_RESIDUALS, directions
from utils.checks.lab2.fokker_planck_fields import LATE_TOYS, TOYS, toy_sigma, twice_the_noise
from utils.checks.lab2.fokker_planck_inputs import WAVES, Inputs


@pytest.mark.parametrize("time", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_the_exact_score_obeys_the_equation(lab2, time):
    schedule, x = lab2["ExponentialNoise"](), oracles.hard_places()

    def score(x, t):
        return lab2["analytic_score"](x, schedule.sigma(t), SIGMA_D)

    t = torch.full((len(x), 1), time)
    residual = lab2["fokker_planck_residual"](score, x, t, schedule.sigma)
    change = (score(x, t + 1e-6) - score(x, t - 1e-6)) / 2e-6
    assert residual.abs().max() < 1e-8 * change.abs().max()


def test_a_field_that_is_no_solution_has_the_known_residual(lab2):
    """S = (t x1, t x2), sigma(t)² = t: d_t s = x, div s = 2 t, grad |s|² = 2 t² x, so the residual is (1 - t²) x."""
    x, t = torch.rand(20, 2), torch.rand(20, 1) + 0.1
    residual = lab2["fokker_planck_residual"](lambda x, t: t * x, x, t, torch.sqrt)
    torch.testing.assert_close(residual, (1 - t**2) * x)
    torch.testing.assert_close(oracles.residual(lambda x, t: t * x, x, t, torch.sqrt), (1 - t**2) * x)


@pytest.mark.parametrize("run", WAVES)
def test_public_numbers(run):
    """The residual by forward-mode derivatives; its gradient by differences, exact for a polynomial of degree 4."""
    challenge = Challenge.public("lab2.fokker_planck")
    inputs = in_double(Inputs.of(challenge, run))
    field = inputs.field.double()
    for name in ("m", "v", "a", "w", "p"):
        setattr(field, name, getattr(field, name).double())

    def residual(gain: float) -> torch.Tensor:
        return oracles.residual(lambda x, t: gain * field(x, t), inputs.x, inputs.t, inputs.sigma)

    mean = float((residual(1.0) * directions(challenge, run)).mean())
    assert mean == pytest.approx(PUBLIC_RESIDUALS[run], rel=1e-6)
    h = 0.1
    squares = {step: float(residual(1 + step * h).square().mean()) for step in (-2, -1, 1, 2)}
    gradient = (squares[-2] - 8 * squares[-1] + 8 * squares[1] - squares[2]) / (12 * h)
    assert gradient == pytest.approx(PUBLIC_GRADIENTS[run], rel=1e-6)


@pytest.mark.parametrize("run", [*TOYS, *LATE_TOYS])
def test_toy_residuals(run):
    x, t = torch.zeros(5, 2) if run == "at_zero" else torch.rand(5, 2), torch.rand(5, 1) + 0.1
    sigma = twice_the_noise if run == "twice_the_noise" else toy_sigma
    residual = oracles.residual({**TOYS, **LATE_TOYS}[run], x, t, sigma)
    torch.testing.assert_close(residual, TOY_RESIDUALS[run](x, t))
