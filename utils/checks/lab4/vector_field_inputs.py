"""The inputs of exercise 4.1: the points, times and schedules with which both methods are tested, run by run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.distributions import GaussianClasses
from utils.paths import Alpha, Beta, LinearAlpha, LinearBeta

LAST = 1 - 1e-4  # the last time that the exercise asks for
RUNS = {
    # run: shape of z without the batch, dtype, batch size, schedule
    "bent": ((1, 3, 4), torch.float64, 24, "bent"),
    "other_z": ((1, 3, 4), torch.float64, 24, "bent"),  # the calls of `CHANGED` follow, with the same object
    "other_x": ((1, 3, 4), torch.float64, 24, "bent"),
    "again": ((1, 3, 4), torch.float64, 24, "bent"),  # the score first
    "linear": ((1, 3, 4), torch.float64, 24, "linear"),
    "numbers": ((), torch.float64, 7, "bent"),
    "far": ((3, 2), torch.float64, 7, "steep"),
    "one": ((3, 2, 2), torch.float64, 1, "bent"),
    "start": ((3, 2), torch.float64, 5, "bent"),  # all samples at t = 0, as where a simulation starts
    "single": ((1, 2, 2), torch.float32, 6, "bent"),
    "no_noise": ((4,), torch.float64, 6, "bent"),
    "no_image": ((4,), torch.float64, 6, "bent"),
}
WHERE = {  # what is special about a run, for messages
    "bent": "on a bent schedule",
    "other_z": "in a second call of one object",
    "other_x": "in a third call of one object",
    "again": "in a fourth call of one object",
    "linear": "on the straight path",
    "numbers": "for x of one axis and one z for all samples",
    "far": "far from the image, on a path whose beta falls to 1e-16",
    "one": "in a batch of one",
    "start": "where all samples are at t = 0",
    "single": "in float32",
    "no_noise": "where there is no noise",
    "no_image": "where the image is 0",
}
# Each of these calls changes one argument of the call before it, in place. So a result that is kept by any of the
# arguments, by their numbers or as objects, is wrong in one of them.
CHANGED = {"other_z": "z", "other_x": "x", "again": "t"}
BEFORE = {"other_z": "bent", "other_x": "other_z", "again": "other_x"}
FAR = 1e16  # the noise of the run "far": "any x" has no limit, and float32 still holds the squares of these numbers
FAR_NOISE = 4.0  # of the late sample, so that what is limited or shifted near the data shows


class BentAlpha(Alpha):
    """t + a t (1 - t): rises from 0 to 1, but not at a constant rate."""

    def __init__(self, bend: float):
        self.bend = bend

    def __call__(self, t: Tensor) -> Tensor:
        """Return alpha(t), with the shape of t."""
        return t + self.bend * t * (1 - t)

    def dt(self, t: Tensor) -> Tensor:
        """Return the time derivative of alpha, with the shape of t."""
        return 1 + self.bend * (1 - 2 * t)


class BentBeta(Beta):
    """(1 - t) (1 + b t): falls from 1 to 0; neither 1 - alpha nor the root of 1 - alpha²."""

    def __init__(self, bend: float):
        self.bend = bend

    def __call__(self, t: Tensor) -> Tensor:
        """Return beta(t), with the shape of t."""
        return (1 - t) * (1 + self.bend * t)

    def dt(self, t: Tensor) -> Tensor:
        """Return the time derivative of beta, with the shape of t."""
        return -(1 + self.bend * t) + self.bend * (1 - t)


class SteepBeta(Beta):
    """(1 - t)⁴: so small near the data that a number added to it, or a limit of it, changes the result."""

    def __call__(self, t: Tensor) -> Tensor:
        """Return beta(t), with the shape of t."""
        return (1 - t) ** 4

    def dt(self, t: Tensor) -> Tensor:
        """Return the time derivative of beta, with the shape of t."""
        return -4 * (1 - t) ** 3


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge. The first two times are the ends of the exercise's range."""

    z: Tensor  # (b, *shape) clean points
    noise: Tensor  # (b, *shape) standard normal
    t: Tensor  # (b, 1, …, 1) times in [0, LAST]
    alpha: Alpha
    beta: Beta

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS`."""
        drawn = cls.drawn(challenge, run)
        return drawn.after(cls.of(challenge, BEFORE[run]), CHANGED[run]) if run in CHANGED else drawn

    @classmethod
    def of_all(cls, challenge: Challenge) -> dict[str, Inputs]:
        """Return the inputs of all runs, each of which is drawn once."""
        found: dict[str, Inputs] = {}
        for run in RUNS:
            drawn = cls.drawn(challenge, run)
            found[run] = drawn.after(found[BEFORE[run]], CHANGED[run]) if run in CHANGED else drawn
        return found

    def after(self, before: Inputs, changed: str) -> Inputs:
        """Return the inputs of the call before, of which one argument is changed: x, z or t."""
        if changed == "x":
            return replace(before, noise=self.noise)
        if changed == "z":  # the later the time, the nearer to the old z: no sample may lie far from its image
            inputs = replace(before, z=before.z + before.beta(before.t) * self.z)
        else:  # earlier, where as much noise is no more than ordinary
            inputs = replace(before, t=before.t * self.t)
        return replace(inputs, noise=(before.point() - inputs.alpha(inputs.t) * inputs.z) / inputs.beta(inputs.t))

    @classmethod
    def drawn(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run whose arguments are all new."""
        shape, dtype, batch, kind = RUNS[run]
        drawn = (challenge.randn(f"{run} {name}", (batch, *shape), dtype) for name in ("z", "noise"))
        z, noise = (value.transpose(0, -1).contiguous().transpose(0, -1) for value in drawn)  # no `view` joins the axes
        times = "bent" if run == "linear" else run  # two paths share their times, so a table of times cannot serve both
        t = challenge.rand(f"{times} t", (batch, *[1] * len(shape)), 0.0, LAST, dtype=dtype)
        if batch > 2:
            t[0], t[1] = 0.0, LAST
        if run == "start":
            t = t * 0
        if run == "numbers":
            z = z[:1].expand_as(z)
        noise = noise * {"far": FAR, "no_noise": 0.0}.get(run, 1.0)
        if run == "no_image":
            z, noise[1] = z * 0, FAR_NOISE * noise[1].sign()
        if run == "far":
            noise[1] = FAR * FAR_NOISE * noise[1].sign()  # x is far from the image even where beta is 1e-16
            t = t.float().to(dtype)  # float32 knows these times exactly, and so their small beta
        if kind == "linear":
            return cls(z, noise, t, LinearAlpha(), LinearBeta())
        bends = challenge.number("alpha", 0.4, 0.9), challenge.number("beta", 0.3, 0.8)
        return cls(z, noise, t, BentAlpha(bends[0]), SteepBeta() if kind == "steep" else BentBeta(bends[1]))

    def point(self, later: float = 0.0) -> Tensor:
        """Return the point x of the path, for the same z and noise at time t + later."""
        t = self.t + later
        return self.alpha(t) * self.z + self.beta(t) * self.noise

    def path(self, Path: type) -> Any:
        """Return a path of the student's class."""
        shape = self.z.shape[1:]
        return Path(GaussianClasses(torch.zeros(2, *shape, dtype=self.z.dtype)), shape, self.alpha, self.beta)
