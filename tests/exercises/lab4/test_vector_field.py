"""The velocity and the score of a Gaussian path, against closed forms and automatic differentiation."""

from __future__ import annotations

import pytest
import torch

from utils.checks.challenge import Challenge
from utils.checks.kits.inputs import in_double
from utils.checks.lab4.vector_field import slope, tolerance, velocity
from utils.checks.lab4.vector_field_inputs import RUNS, Inputs
from utils.distributions import GaussianClasses
from utils.paths import CosineAlpha, CosineBeta, LinearAlpha, LinearBeta


@pytest.mark.parametrize("schedules", [(LinearAlpha(), LinearBeta()), (CosineAlpha(), CosineBeta())])
def test_velocity_and_score_of_the_path(lab, schedules):
    alpha, beta = schedules
    path = lab["GaussianConditionalPath"](GaussianClasses(torch.zeros(1, 1, 2, 2)), (1, 2, 2), alpha, beta)
    z, noise, t = torch.randn(50, 1, 2, 2), torch.randn(50, 1, 2, 2), torch.rand(50, 1, 1, 1) * 0.999
    x = alpha(t) * z + beta(t) * noise
    torch.testing.assert_close(path.conditional_vector_field(x, z, t), alpha.dt(t) * z + beta.dt(t) * noise)
    torch.testing.assert_close(path.conditional_score(x, z, t), -noise / beta(t))


def test_the_conditional_mean_of_the_field_is_the_marginal_velocity(lab):
    """Regression on the conditional field has the marginal velocity as its minimiser: checked by linear regression."""
    std, t = 0.7, 0.4
    path = lab["GaussianConditionalPath"](
        GaussianClasses(torch.tensor([[1.5]]), std=std), (1,), LinearAlpha(), LinearBeta()
    )
    z, _ = path.p_data.sample(400_000)
    time = torch.full((len(z), 1), t)
    x = path.sample_conditional_path(z, time)
    u = path.conditional_vector_field(x, z, time)
    slope = ((x - x.mean()) * (u - u.mean())).mean() / x.var()
    exact = (t * std**2 - (1 - t)) / (t**2 * std**2 + (1 - t) ** 2)
    assert slope.item() == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("run", RUNS)
def test_the_slope_in_the_check_is_the_gradient_of_the_log_density(run):
    inputs = in_double(Inputs.of(Challenge.public("lab4.vector_field"), run))
    x = inputs.point().requires_grad_()
    mean, std = inputs.alpha(inputs.t) * inputs.z, inputs.beta(inputs.t)
    log_density = torch.distributions.Normal(mean, std).log_prob(x).sum()
    (score,) = torch.autograd.grad(log_density, x)
    torch.testing.assert_close(slope(inputs), score, rtol=1e-7, atol=1e-7 * float(inputs.noise.abs().max()) + 1e-12)


@pytest.mark.parametrize("run", RUNS)
def test_the_velocity_in_the_check_is_the_time_derivative_of_the_point(run):
    """Forward-mode differentiation of the path's point with respect to t."""
    inputs = in_double(Inputs.of(Challenge.public("lab4.vector_field"), run))
    t, one = inputs.t.contiguous(), torch.ones_like(inputs.t)
    _, field = torch.func.jvp(lambda t: inputs.alpha(t) * inputs.z + inputs.beta(t) * inputs.noise, (t,), (one,))
    assert bool(((velocity(inputs) - field).abs() < 0.01 * tolerance(inputs, "field")).all())
