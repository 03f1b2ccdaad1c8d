"""Exercise 2.3 against quadrature over clean states, places and times, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.exercises.lab2 import oracles
from utils.atoms import CENTRES, SIGMA_D, TwoAtoms
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.draws import judge_noise
from utils.checks.lab2.score_loss_known import (
    DISTANCE,
    EARLY_SIGMA,
    LATE_SIGMA,
    PUBLIC_LOSS_AROUND,
    PUBLIC_LOSS_FAR,
    PUBLIC_TARGETS,
    PUSHED,
)


def test_the_mean_target_of_score_matching_is_the_score(lab2):
    """E[grad log K(x | x0) | x] by quadrature over x0, both orders."""
    sigma = 0.08
    side = torch.linspace(-6, 6, 121) * SIGMA_D
    offsets = torch.cartesian_prod(side, side)
    weights = torch.exp(-(offsets**2).sum(1) / (2 * SIGMA_D**2))
    x0 = torch.cat([torch.tensor(c) + offsets for c in (CENTRES, CENTRES[::-1])])
    weights = weights.repeat(2)
    for x in torch.tensor([[0.1, 0.5], [0.3, 0.35], [0.99, 0.02]]):
        width = torch.full((len(x0), 1), sigma)
        likelihood = oracles.log_wrapped(x - x0, width.expand_as(x0)).sum(1).exp()
        pulls = oracles.kernel_score(x.expand_as(x0), x0, width)
        share = (weights * likelihood / (weights * likelihood).sum())[:, None]
        score = lab2["analytic_score"](x[None], width[:1], SIGMA_D)[0]
        torch.testing.assert_close((share * pulls).sum(0), score, rtol=1e-7, atol=1e-7)


def test_the_loss_of_the_exact_score_is_the_floor_that_the_text_names(lab2):
    """E|sigma grad log K|² - E|sigma s|², by quadrature over states and times."""
    schedule, x = lab2["ExponentialNoise"](), oracles.square(220)
    u = ((torch.arange(3000) + 0.5) / 3000)[:, None]
    floors = []
    for t in (torch.arange(16) + 0.5) / 16:
        sigma = float(schedule.sigma(t.reshape(1, 1)))
        width = torch.full((len(u), 1), sigma)
        kernel = oracles.log_wrapped(u, width).exp()[:, 0]
        target = (kernel * (sigma * oracles.kernel_score(u, torch.zeros_like(u), width)[:, 0]) ** 2).mean()
        p, score = oracles.density(x, sigma), oracles.exact_score(x, torch.full((len(x), 1), sigma), SIGMA_D)
        known = (p[:, None] * (sigma * score) ** 2).mean() / p.mean()
        floors.append(float(target - known))
    floor = float(np.mean(floors))
    trainer = lab2["ScoreTrainer"](
        schedule,
        lambda x, t: schedule.sigma(t) * lab2["analytic_score"](x, schedule.sigma(t), SIGMA_D),
        TwoAtoms(dtype=torch.float64),
    )
    losses = [float(trainer.get_train_loss(20_000)) for _ in range(5)]
    assert np.mean(losses) == pytest.approx(floor, abs=0.01)
    assert floor == pytest.approx(0.469, abs=0.004)


def kernel_target(distance, sigma):
    """Return sigma times the score of the wrapped Gaussian."""
    u, width = torch.tensor([[distance]]), torch.tensor([[sigma]])
    return float(sigma * oracles.kernel_score(u, torch.zeros_like(u), width))


def test_public_numbers():
    for run, loss in {"far": PUBLIC_LOSS_FAR, "around": PUBLIC_LOSS_AROUND, "around_back": PUBLIC_LOSS_AROUND}.items():
        distance, sigma, says, _ = PUSHED[run]
        assert says == (0.0, 0.0)
        moved = distance - 1 if run == "around" else distance  # past the cell's edge; the target is periodic
        assert kernel_target(moved, sigma) ** 2 == pytest.approx(loss, rel=1e-7)
    for sigma, target in zip((EARLY_SIGMA, LATE_SIGMA), PUBLIC_TARGETS, strict=True):
        assert kernel_target(DISTANCE, sigma) == pytest.approx(target, rel=1e-7)


def finding_on_noise(noise):
    judge = Judge(Challenge("lab2.test", b"a key"), Evidence("lab2.test"))
    with judge.part("noise", 1):
        judge_noise(judge, noise)
    return [finding.code for finding in judge.findings]


def test_noise_that_was_changed_after_it_was_drawn_is_found():
    noise = torch.randn(2, 500, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert finding_on_noise(noise) == []
    flat = noise.flatten(1)
    centred = (flat - flat.mean(1, keepdim=True)).view_as(noise)
    assert finding_on_noise(centred) == ["noise_standardised"]
    assert finding_on_noise((flat / flat.std(1, keepdim=True)).view_as(noise)) == ["noise_standardised"]
    assert finding_on_noise(noise - noise.mean(2, keepdim=True)) == ["noise_mirrored"]
    assert finding_on_noise(noise.sign()) == ["noise_discrete"]
    assert finding_on_noise(noise[:, :1].expand_as(noise)) == ["noise_shared"]
