"""Random batches for functions of a tensor, a step t for each sample, and a noise schedule (lab 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.kits.schedules import MADE_UP_STEPS


@dataclass(frozen=True)
class Batch:
    """The form of one run's tensors."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    where: str  # how a message names this run: "(seen …)"


BATCHES = {
    "images": Batch((10, 1, 4, 3), torch.float64, "on images, each at its own t"),
    "points": Batch((8, 2), torch.float64, "on points in the plane"),
    # as many samples as numbers in a row: here a missing reshape raises nothing
    "square": Batch((6, 6), torch.float64, "on a batch with as many samples as numbers in a row"),
    "one": Batch((1, 3, 2, 2), torch.float64, "on a batch of one"),
    "single": Batch((7, 1, 3, 3), torch.float32, "in float32"),
    "strided": Batch((6, 2, 3, 4), torch.float64, "on a tensor that is not contiguous"),
}


def draw_steps(challenge: Challenge, run: str) -> Tensor:
    """Return random steps of shape (b,), integers. The first three are 0, T - 1 and 1 if the batch has so many."""
    size = BATCHES[run].shape[0]
    t = challenge.randint(f"{run} t", 0, MADE_UP_STEPS, (size,))
    if size > 2:
        t[0], t[1], t[2] = 0, MADE_UP_STEPS - 1, 1
    return t


def draw_batch(challenge: Challenge, run: str, name: str) -> Tensor:
    """Return standard normal numbers in the shape and dtype of a run.

    Args:
        challenge: Fixes the numbers.
        run: A key of `BATCHES`.
        name: The name of the argument, such as `x0`. Each has its own numbers.
    """
    batch = BATCHES[run]
    value = challenge.randn(f"{run} {name}", batch.shape, batch.dtype)
    return value.transpose(-1, -2).contiguous().transpose(-1, -2) if run == "strided" else value
