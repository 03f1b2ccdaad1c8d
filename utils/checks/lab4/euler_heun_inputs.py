"""The inputs of exercise 4.4: the drifts and the steps with which both simulators are tested, run by run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.stubs import RandomField, Recorder
from utils.dynamics import ODE

RUNS = {
    # run: shape of x without the batch, dtype, batch size, sign of h
    "main": ((1, 3, 2), torch.float64, 9, 1.0),
    "again": ((1, 3, 2), torch.float64, 9, 1.0),  # "main" half as far, with the same objects
    "single": ((1, 3, 2), torch.float32, 9, 1.0),
    "one": ((2, 2, 2), torch.float64, 1, 1.0),
    "backwards": ((1, 2, 2), torch.float64, 5, -1.0),
    "to_zero": ((1, 2, 2), torch.float64, 3, -1.0),  # all samples go from 1 to 0
    "numbers": ((), torch.float64, 6, 1.0),
    "far": ((1, 2, 2), torch.float64, 8, 1.0),
    "even": ((1, 2, 2), torch.float64, 4, 1.0),  # all samples have one time and one step, as in a simulation
}
LATER = {"again", "single"}  # their shapes occurred in an earlier call of the same object
SMALL = 1e-5  # of a step: float16 keeps two digits of so short a way
FAR = 400.0  # guided with a large scale, the lab's states reach 60, and its slopes some hundreds
EXACT_TIMES = 64  # multiples of 1/64 are exact in floating point
WALK_POINTS = 8
PLAIN: dict[str, object] = {"scale": 0, "mask": None}  # keyword arguments of a step that are no tensors


class StubODE(ODE):
    """A random drift of x, t, the labels y and a second keyword argument. Every call is recorded.

    Attributes:
        record: the calls, with the tensors among their arguments.
        plain: the arguments of `PLAIN` that reached each call.
    """

    def __init__(self, challenge: Challenge):
        self.record = Recorder(RandomField(challenge, "drift"), ("x", "t", "y", "context"))
        self.plain: list[dict[str, object]] = []

    def drift_coefficient(self, x: Tensor, t: Tensor, **named: Any) -> Tensor:
        """Return the drift, with the shape and dtype of x, and record the call."""
        self.plain.append({name: named.pop(name) for name in PLAIN if name in named})
        return self.record(x, t, **named).to(x.dtype)

    def forget(self) -> None:
        """Forget all calls."""
        self.record.calls.clear()
        self.plain.clear()

    def report(self, evidence: Evidence, name: str) -> None:
        """Store the calls as evidence, and as `name/plain_kept` whether each of them got `PLAIN` as it is."""
        self.record.report(evidence, name)
        kept = all(len(given) == len(PLAIN) and all(given[key] is PLAIN[key] for key in PLAIN) for given in self.plain)
        evidence.put(f"{name}/plain_kept", kept)


class UnlabelledDrift(ODE):
    """The same velocity everywhere and at every time, without labels: one tensor of its own, so that changes show.

    Args:
        velocity: Shape of x.
    """

    def __init__(self, velocity: Tensor):
        self.velocity = velocity.clone()

    def drift_coefficient(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the velocity, with the shape of x."""
        return self.velocity if x.shape == self.velocity.shape else self.velocity[:1].expand_as(x).clone()


class Growth(ODE):
    """dx/dt = 2 t x: from x to e x between t = 0 and t = 1."""

    def drift_coefficient(self, x: Tensor, t: Tensor) -> Tensor:
        """Return 2 t x, with the shape of x."""
        return 2 * t * x


@dataclass(frozen=True)
class Inputs:
    """The inputs of one step, all fixed by the challenge. Every sample has its own time and its own step size.

    In batches of at least 5 forwards, one sample goes all the way in one step, the next one ends at 1, and the next one
    does not move; the labels 0 and 4 occur.
    """

    x: Tensor  # (b, *shape), in a memory whose axes no `view` can join
    t: Tensor  # (b, 1, …, 1)
    h: Tensor  # (b, 1, …, 1), negative in the run "backwards"; t + h stays in [0, 1]
    y: Tensor  # (b,)
    context: Tensor  # (b,) float64, the second keyword argument of the drift

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS`."""
        if run == "again":  # whatever else a slope is kept for, it is not evaluated again
            main = cls.of(challenge, "main")
            return replace(main, h=main.h / 2)
        shape, dtype, batch, sign = RUNS[run]
        ones = [1] * len(shape)
        x = challenge.randn(f"{run} x", (batch, *shape), dtype).transpose(0, -1).contiguous().transpose(0, -1)
        low, high = (0.2, 0.6) if sign > 0 else (0.4, 0.8)
        t = challenge.rand(f"{run} t", (batch, *ones), low, high, dtype=dtype)
        h = sign * challenge.rand(f"{run} h", (batch, *ones), 0.1, 0.35, dtype=dtype)
        y = challenge.randint(f"{run} y", 0, 5, (batch,))
        if batch > 4 and sign > 0:
            i = 1 if run == "main" else 0
            t[i], h[i], h[i + 1], h[i + 2], y[i], y[i + 1] = 0.0, 1.0, 1 - t[i + 1], 0.0, 0, 4
        if run == "to_zero":
            t, h = torch.ones_like(t), -torch.ones_like(h)
        if run == "one":  # t + h is exactly 1, and the only sample knows it
            t = (t * EXACT_TIMES).round() / EXACT_TIMES
            h = 1 - t
        if run == "even":
            t, h = t[:1].expand_as(t).clone(), h[:1].expand_as(h).clone()
        if run == "far":  # as in the first step of a simulation
            x, t = FAR / 2 * x, 0 * t
            x[0], x[-1] = FAR, -FAR
        return cls(x, t, h, y, challenge.randn(f"{run} context", (batch,), torch.float64))

    @property
    def velocity(self) -> Tensor:
        """The velocity of `UnlabelledDrift`, which is never near 0 and the same for all samples; the shape of x."""
        return (self.x[:1].sign() * (1 + self.x[:1].abs())).expand_as(self.x)


@dataclass(frozen=True)
class WalkInputs:
    """The inputs of a short simulation on an uneven grid of times."""

    x: Tensor  # (6, 1, 2, 2)
    grid: Tensor  # (WALK_POINTS,)
    y: Tensor  # (6,)

    @classmethod
    def of(cls, challenge: Challenge) -> WalkInputs:
        """Return the inputs that the challenge fixes."""
        grid = challenge.bent_grid("grid", 0.0, 1.0, WALK_POINTS)
        return cls(challenge.randn("walk x", (6, 1, 2, 2)), grid, challenge.randint("walk y", 0, 5, (6,)))
