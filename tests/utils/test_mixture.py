"""Lab 3's mixture of Gaussians: its exact noise, its exact classifier, its samples."""

import pytest
import torch

from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.schedules import MADE_UP_STEPS, made_up_schedule
from utils.mixture import Mixture

SCHEDULE = made_up_schedule(Challenge("lab3.test", b"a key"))


def test_the_mixtures_noise_and_classifier_are_exact():
    """Compare with automatic differentiation of a density that is written out here."""
    mixture = Mixture(
        torch.tensor([[1.0, 0.0], [-1.0, 0.5], [0.0, 2.0]]).double(), torch.tensor([0.3, 0.6, 0.2]).double(),
        torch.tensor([0.5, 0.2, 0.3]).double(),
    )  # fmt: skip
    x = torch.randn(12, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    t = torch.randint(MADE_UP_STEPS, (12,), generator=torch.Generator().manual_seed(2))
    shares, variances = oracles.chain(SCHEDULE)
    share, variance = shares[t + 1], variances[t + 1]
    joint = []
    for mean, std, prior in zip(mixture.means, mixture.stds, mixture.prior):
        spread = (share**2 * std**2 + variance)[:, None].expand(-1, 2)
        distribution = torch.distributions.Normal(share[:, None] * mean, spread.sqrt())
        joint.append(prior.log() + distribution.log_prob(x).sum(1))
    joint = torch.stack(joint, dim=1)
    score = torch.autograd.grad(joint.logsumexp(1).sum(), x)[0]
    assert torch.allclose(mixture.noise(x, t, SCHEDULE), -variance.sqrt()[:, None] * score, atol=1e-10)
    assert torch.allclose(mixture.logits(x, t, SCHEDULE).softmax(1), joint.softmax(1), atol=1e-10)


def test_the_mixtures_samples():
    mixture = Mixture(torch.tensor([[3.0], [-3.0]]), torch.tensor([0.5, 0.1]), torch.tensor([0.75, 0.25]))
    x, y = mixture.sample(40_000, torch.Generator().manual_seed(0))
    assert float((y == 0).double().mean()) == pytest.approx(0.75, abs=0.015)  # 7 standard errors
    for k in (0, 1):
        assert float(x[y == k].mean()) == pytest.approx(float(mixture.means[k]), abs=0.03)
        assert float(x[y == k].std()) == pytest.approx(float(mixture.stds[k]), rel=0.04)
