"""The training loss, where the best network and its loss are known."""

from __future__ import annotations

import math

import pytest
import torch

from tests.exercises.lab4.oracles import velocity
from utils.checks.lab4.cfg_train_loss_inputs import END, toy_error
from utils.distributions import GaussianClasses
from utils.paths import LinearAlpha, LinearBeta


@pytest.mark.parametrize("std", [0.3, 1.0])
def test_the_irreducible_loss_is_half_pi_times_the_width(lab, std):
    data = GaussianClasses(torch.tensor([[[[2.0, -1.0]]], [[[0.0, 1.0]]]]), std=std)
    path = lab["GaussianConditionalPath"](data, (1, 1, 2), LinearAlpha(), LinearBeta())
    trainer = lab["CFGTrainer"](path, lambda x, t, y: velocity(x, t, data.means[y], std), eta=0.0, null_label=2)
    losses = torch.tensor([trainer.get_train_loss(batch_size=20_000).item() for _ in range(40)])
    error = losses.std().item() / math.sqrt(len(losses))
    assert losses.mean().item() == pytest.approx(math.pi / 2 * std, abs=5 * error)


def test_the_floor_of_the_blobs_is_the_one_in_the_text(lab):
    """The unconditional part by Monte Carlo with the exact mixture velocity."""
    toy, std = lab["toy"], lab["TOY_STD"]
    means = toy.means.double().flatten(1)
    y = torch.randint(3, (1_000_000,))
    z, noise, t = means[y] + std * torch.randn(len(y), 2), torch.randn(len(y), 2), torch.rand(len(y), 1)
    x = t * z + (1 - t) * noise
    v = t**2 * std**2 + (1 - t) ** 2
    weights = torch.stack([-((x - t * m) ** 2).sum(1) / (2 * v[:, 0]) for m in means], 1).softmax(1)
    u = sum(weights[:, k : k + 1] * velocity(x, t, means[k], std) for k in range(3))
    floor = 0.9 * math.pi / 2 * std + 0.1 * ((z - noise - u) ** 2).mean().item()
    assert floor == pytest.approx(lab["TOY_FLOOR"], abs=2e-3)


def test_a_time_at_the_threshold_has_the_same_error_in_float32_and_in_float64():
    times = torch.tensor([END, 1 - END], dtype=torch.float32).reshape(2, 1, 1, 1)
    assert torch.equal(toy_error("ends", times, (1, 1, 2)), toy_error("ends", times.double(), (1, 1, 2)))
