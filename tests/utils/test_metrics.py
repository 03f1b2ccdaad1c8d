"""Distances against closed forms and scipy, coverage of known sets, error bars."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from utils.data import LabelledImages
from utils.metrics import frechet_distance, gaussian_distance, in_batches, over_seeds, precision_recall, real_distance


def test_frechet_distance_of_gaussians_is_the_closed_form():
    # diagonal covariances commute: |m|² + sum (s_a - s_b)²
    a = torch.diag(torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64))
    b = torch.diag(torch.tensor([4.0, 4.0, 1.0], dtype=torch.float64))
    mean = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    expected = (1 + 4 + 0.25) + (1 - 2) ** 2 + 0 + (3 - 1) ** 2
    assert gaussian_distance(mean, a, torch.zeros(3, dtype=torch.float64), b) == pytest.approx(expected, abs=1e-10)
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]  # the distance does not know about axes
    turned = gaussian_distance(turn @ mean, turn @ a @ turn.T, torch.zeros(3, dtype=torch.float64), turn @ b @ turn.T)
    assert turned == pytest.approx(expected, abs=1e-9)


def test_frechet_distance_against_scipy():
    from scipy.linalg import sqrtm

    torch.manual_seed(1)
    a, b = torch.randn(200, 6).double() @ torch.randn(6, 6).double(), torch.randn(150, 6).double() + 1
    cov_a, cov_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum().item() + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, b * float("nan")) == math.inf


def test_precision_and_recall_of_known_clouds():
    torch.manual_seed(0)
    square = torch.rand(400, 2)
    half = torch.rand(400, 2) * torch.tensor([0.5, 1.0])
    precision, recall = precision_recall(square, half)
    assert precision > 0.95 and 0.4 < recall < 0.65  # all fakes are fine, half of the truth is missing
    precision, recall = precision_recall(square, square + 10)
    assert precision == recall == 0


def test_the_distance_of_real_images_is_that_of_equal_shares():
    labels = torch.tensor([0] * 90 + [1] * 10)
    pixels = (255 * labels).to(torch.uint8)[:, None, None, None]  # class 0 is -1, class 1 is 1
    real = LabelledImages(pixels, labels, "test")
    equal = torch.tensor([-1.0, 1.0]).repeat(10)[:, None]
    assert real_distance(torch.nn.Flatten(), real, equal, 20).value == pytest.approx(0, abs=1e-9)

    as_they_come = torch.tensor([-1.0] * 18 + [1.0] * 2)[:, None]  # the means are 0 and -0.8
    wide, narrow = (math.sqrt(4 * share * (1 - share) * 20 / 19) for share in (0.5, 0.1))
    distance = real_distance(torch.nn.Flatten(), real, as_they_come, 20)
    assert distance.value == pytest.approx(0.8**2 + (wide - narrow) ** 2, rel=1e-6) and distance.error == 0


def test_error_bars():
    assert over_seeds([1.0, 2.0, 3.0]).value == 2 and over_seeds([1.0, 2.0, 3.0]).error == pytest.approx(
        1 / math.sqrt(3)
    )


def test_a_module_that_fails_in_a_batch_is_training_again_afterwards():
    net = nn.Linear(3, 2).train()
    assert in_batches(net, torch.zeros(7, 3), batch=2).shape == (7, 2) and net.training
    with pytest.raises(RuntimeError):
        in_batches(net, torch.zeros(4, 5))
    assert net.training
