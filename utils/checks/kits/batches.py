"""Random batches for functions of a tensor, a step t for each sample, and a noise schedule (lab 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.kits.schedules import LAB_STEPS

DOUBLE, SINGLE = torch.float64, torch.float32
SCHEDULES = {"short": 10, "other": 7, "lab": LAB_STEPS}  # name: its number of steps


@dataclass(frozen=True)
class Batch:
    """The form of one run's tensors."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    schedule: str  # a key of SCHEDULES
    hard: tuple[int, ...]  # the steps of the first samples; -1 is T - 1
    where: str  # how a message names this run: "(seen …)"
    wide: bool = False  # each sample has the values of `WIDE`

    @property
    def steps(self) -> int:
        """The number of steps of the schedule, T."""
        return SCHEDULES[self.schedule]


# Numbers that random draws hardly contain and the lab passes: exact zeros, and as far out as its largest ones.
# Two arguments of one function have them at different places, so that no argument is nearly a multiple of another.
WIDE: dict[str, tuple[int, tuple[float, ...]]] = {
    # argument: the first of its places in a sample, the values there
    "x0": (0, (-3.0, 0.0, 3.0)),
    "x": (0, (-15.0, 0.0, 15.0)),
    "gradient": (0, (-10.0, 0.0, 10.0)),
    "score": (0, (-10.0, 0.0, 10.0)),
    "noise_estimate": (3, (-15.0, 0.0, 15.0)),
    "noise": (6, (-5.0, 0.0, 5.0)),
}

BATCHES = {
    "images": Batch((6, 1, 4, 3), DOUBLE, "short", (0, -1, 1), "on images, each at its own t", wide=True),
    "points": Batch((5, 4), DOUBLE, "short", (-1, 0, 1), "on a batch of vectors"),
    # as many samples as numbers in a row: here a missing reshape raises nothing
    "square": Batch((5, 5), DOUBLE, "short", (1, -1, 0), "on a batch with as many samples as numbers in a row"),
    "numbers": Batch((5,), DOUBLE, "short", (1, 0, -1), "where each sample is a single number"),
    "again": Batch((6, 1, 4, 3), DOUBLE, "other", (-1, 1, 0), "on a second batch, with another schedule"),
    "single": Batch((8, 1, 3, 3), SINGLE, "lab", (0, 1, -1), "in float32, with a schedule of 1,000 steps"),
    "strided": Batch((5, 2, 3, 4), DOUBLE, "short", (1, 0, -1), "on a tensor that is not contiguous"),
    "one": Batch((1, 3, 2, 2), DOUBLE, "other", (-1,), "on a batch of one, at t = T - 1"),
    "zero": Batch((1, 2, 4), DOUBLE, "short", (0,), "on a batch of one, at t = 0"),
    "together": Batch((3, 2, 4), DOUBLE, "short", (0, 0, 0), "on a batch whose samples are all at t = 0"),  # as the lab
}


def draw_steps(challenge: Challenge, run: str) -> Tensor:
    """Return the steps of a run, integers of shape (b,): the hard ones, then random ones that are different."""
    batch = BATCHES[run]
    count = batch.shape[0] - len(batch.hard)
    others = 2 + torch.randperm(batch.steps - 3, generator=challenge.generator(f"{run} t"))[:count]
    return torch.cat([torch.tensor(batch.hard) % batch.steps, others]).to(challenge.device)


def draw_batch(challenge: Challenge, run: str, name: str) -> Tensor:
    """Return standard normal numbers in the shape and dtype of a run, with those of `WIDE` among them in a wide one.

    Args:
        challenge: Fixes the numbers.
        run: A key of `BATCHES`.
        name: The name of the argument, a key of `WIDE`. Each has its own numbers.
    """
    batch = BATCHES[run]
    value = challenge.randn(f"{run} {name}", batch.shape, batch.dtype)
    if batch.wide:
        start, values = WIDE[name]
        value.flatten(1)[:, start : start + len(values)] = torch.tensor(values, dtype=batch.dtype)
    return value.transpose(-1, -2).contiguous().transpose(-1, -2) if run == "strided" else value
