"""Exercise 2.5: the inputs of its runs and of its toys."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.lab2.fokker_planck_fields import Heat, StubSigma, Waves

RUNS = {
    # run: coordinates, dtype, batch size, field
    "waves": (2, torch.float64, 24, "waves"),
    "again": (2, torch.float64, 24, "waves"),
    "three": (3, torch.float64, 3, "waves"),  # as many samples as coordinates
    "one": (2, torch.float64, 1, "waves"),
    "line": (1, torch.float64, 9, "waves"),
    "marked": (2, torch.float64, 9, "waves"),  # x and t require a gradient already, and x is not contiguous
    "solution": (2, torch.float64, 24, "heat"),
    "single": (2, torch.float32, 12, "waves"),
}
WAVES = tuple(run for run, (*_, field) in RUNS.items() if field == "waves")


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge."""

    x: Tensor  # (b, d) states
    t: Tensor  # (b, 1) times
    field: Waves | Heat  # the score
    sigma: StubSigma

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Draw the inputs of a run. The first two samples are at the ends of time and at the cell's edges."""
        d, dtype, batch, kind = RUNS[run]
        sigma = StubSigma(challenge)
        x, t = challenge.rand(f"{run} x", (batch, d), dtype=dtype), challenge.rand(f"{run} t", (batch, 1), dtype=dtype)
        if batch > 2:
            t[0], t[1], x[0], x[1, 0] = 0.0, 1.0, 0.0, 1.0
        if run == "marked":
            x, t = x.repeat_interleave(2, 1)[:, ::2].requires_grad_(), t.requires_grad_()
        field = Waves(challenge, run, d, dtype) if kind == "waves" else Heat(challenge, run, dtype, sigma)
        return cls(x, t, field, sigma)


@dataclass(frozen=True)
class ToyInputs:
    """The inputs of one toy."""

    x: Tensor  # (5, 2) states
    t: Tensor  # (5, 1) times

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> ToyInputs:
        """Draw the inputs of a toy. Those with twice the noise are the same as with the noise itself."""
        name = "linear" if run == "twice_the_noise" else run
        x = torch.zeros(5, 2).double() if run == "at_zero" else challenge.rand(f"{name} x", (5, 2))
        return cls(x, challenge.rand(f"{name} t", (5, 1), 0.2, 0.9))
