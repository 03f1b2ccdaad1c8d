"""Lab 1's flow on the simplex: speeds, densities, samples, projections."""

import math

import pytest
import torch
from scipy import special, stats

from utils import simplex
from utils.checks.challenge import Challenge

CHALLENGE = Challenge("lab1.test", b"a key")


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("alpha", [1.2, 3.0, 7.5])
def test_the_speed_keeps_the_incomplete_beta_function(k, alpha):
    """Mass below a point that moves with the flow stays: dI/dalpha + beta density · speed · (1 - x) = 0."""
    x = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
    h = 1e-5
    by_alpha = (special.betainc(alpha + h, k - 1, x.numpy()) - special.betainc(alpha - h, k - 1, x.numpy())) / (2 * h)
    flux = stats.beta.pdf(x.numpy(), alpha, k - 1) * (simplex.speed(x, alpha, k) * (1 - x)).numpy()
    assert by_alpha + flux == pytest.approx(0, abs=2e-8)


def test_two_letters_have_a_short_formula():
    x = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    assert torch.allclose(simplex.speed(x, 2.5, 2), -x * x.log() / (2.5 * (1 - x)), rtol=1e-11)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_velocities_stay_on_the_simplex_and_point_to_their_corner(k):
    x = simplex.sample(torch.zeros(40, dtype=torch.long), 2.0, k, CHALLENGE.generator("x"))
    u = simplex.conditional_velocity(x, 0, 2.0)
    assert u.sum(-1).abs().max() < 1e-12 and (u[:, 0] > 0).all() and (u[:, 1:] <= 0).all()


@pytest.mark.parametrize("k", [2, 3, 4])
def test_densities_are_dirichlet(k):
    x = simplex.sample(torch.ones(10, dtype=torch.long), 3.0, k, CHALLENGE.generator("x"))
    concentration = torch.ones(k, dtype=torch.float64)
    concentration[1] = 3.0
    expected = torch.distributions.Dirichlet(concentration).log_prob(x)
    assert torch.allclose(simplex.log_density(x, 1, 3.0), expected, atol=1e-10)


def test_samples_are_dirichlet():
    x = simplex.sample(torch.zeros(4000, dtype=torch.long), 4.0, 3, CHALLENGE.generator("x"))
    assert stats.kstest(x[:, 0].numpy(), stats.beta(4.0, 2).cdf).pvalue > 1e-7


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_guided_posterior_is_the_posterior_given_the_class(k):
    """With the exact noisy classifier the identity is exact."""
    alpha, probs = 3.5, CHALLENGE.rand("probs", (2, k), 0.1, 1.0)
    probs = probs / probs.sum(1, keepdim=True)
    whole = probs.mean(0)
    x = simplex.sample(torch.zeros(20, dtype=torch.long), 2.0, k, CHALLENGE.generator("x")).requires_grad_()
    densities = torch.stack(
        [torch.stack([simplex.log_density(x, i, alpha) for i in range(k)], -1) + q.log() for q in probs]
    )
    log_class = densities.logsumexp(-1).log_softmax(0)[0]
    (gradient,) = torch.autograd.grad(log_class.sum(), x)
    guided = simplex.guided_posterior(x.detach(), simplex.posterior(x.detach(), whole, alpha), gradient, alpha)
    assert torch.allclose(guided, simplex.posterior(x.detach(), probs[0], alpha), atol=1e-12)


@pytest.mark.parametrize("k", [2, 3, 4, 9])
def test_the_projection_is_the_nearest_point(k):
    y = CHALLENGE.randn(f"y {k}", (60, k))
    p = simplex.project(y)
    assert (p >= 0).all() and (p.sum(-1) - 1).abs().max() < 1e-12
    others = torch.distributions.Dirichlet(torch.ones(k, dtype=torch.float64)).sample((200,))
    nearest = (y - p).square().sum(-1)
    assert (nearest[:, None] <= (y[:, None] - others).square().sum(-1) + 1e-12).all()
    # The condition for a minimum: all coordinates above 0 were shifted by the same number, the others by no more.
    shift = torch.where(p > 0, y - p, torch.nan)
    assert (shift - shift.nanmean(-1, keepdim=True)).nan_to_num().abs().max() < 1e-12
    assert torch.allclose(simplex.project(p), p, atol=1e-12)
    assert not math.isnan(float(p.sum()))
