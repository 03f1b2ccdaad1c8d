"""The inputs and the stubs of exercise 3.7."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.kits.schedules import hard_schedule, made_up_schedule
from utils.checks.stubs import RandomField, Recorder
from utils.diffusion import Schedule

STEPS, CLASSES = 6, 4


@dataclass(frozen=True)
class Run:
    """The form of one call of the sampler."""

    shape: tuple[int, ...]
    w: float
    dtype: torch.dtype = torch.float64
    hard: bool = False  # the schedule and the numbers reach as far as the lab's own

    @property
    def all_steps(self) -> tuple[int, ...]:
        """The shape of the x of all steps, joined along the batch."""
        return (STEPS * self.shape[0], *self.shape[1:])

    @property
    def blur(self) -> float:
        """How large a difference can be by rounding alone."""
        return 1e-9 if self.dtype == torch.float64 else 1e-4


RUNS = {
    "main": Run((4, 1, 2, 3), 1.7),
    "large": Run((3, 7), 8.0),
    "negative": Run((5, 1, 3, 2), -1.2),
    "honest": Run((3, 1, 4, 2), 1.0, torch.float32, hard=True),
    "plain": Run((2, 1, 2, 2), 0.0, torch.float32, hard=True),
}
FARTHEST_X, FARTHEST_NOISE = 4.0, 5.5  # beyond those of the lab
FARTHEST_STEP = 15.0  # the size of one number that the stub of the step returns: as far out as the lab's largest x


@dataclass(frozen=True)
class Inputs:
    """The tensors that the sampler gets."""

    x: Tensor  # (b, …), where sampling starts
    y: Tensor  # (b,) labels
    schedule: Schedule
    noises: Tensor  # (STEPS, b, …)

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS`."""
        form = RUNS[run]
        x = challenge.randn(f"{run} x", form.shape, form.dtype)
        noises = challenge.randn(f"{run} noises", (STEPS, *form.shape), form.dtype)
        if form.hard:
            for tensor, end in ((x, FARTHEST_X), (noises, FARTHEST_NOISE)):
                tensor[..., 0, 0], tensor[..., 0, 1] = -end, end
            schedule = hard_schedule(challenge, "hard", STEPS, form.dtype)
        else:
            schedule = made_up_schedule(challenge, steps=STEPS)
        return cls(x, challenge.randint(f"{run} y", 0, CLASSES, form.shape[:1]), schedule, noises)


def stub_model(challenge: Challenge) -> RandomField:
    """Return a random field in place of the noise model."""
    return RandomField(challenge, "model")


def stub_gradient(challenge: Challenge) -> RandomField:
    """Return a random field in place of the classifier's gradient."""
    return RandomField(challenge, "gradient")


def stub_step(challenge: Challenge) -> Callable[..., Tensor]:
    """Return a random field in place of the DDPM step. The first number of each sample lies far out."""
    field = RandomField(challenge, "step", amplitude=2.5)

    def step(*inputs: Tensor) -> Tensor:
        value = field(*inputs)
        first = value.flatten(1)[:, 0]
        first += FARTHEST_STEP * first.tanh()
        return value

    return step


class SamplerStubs:
    """Recording stubs for the model, the classifier's gradient and the DDPM step."""

    def __init__(self, challenge: Challenge):
        self.classifier = lambda x, t: x  # only to be handed on
        self.model = Recorder(stub_model(challenge), ("x", "t"))
        self.gradients = Recorder(stub_gradient(challenge), ("x", "t", "y"))
        self.steps = Recorder(stub_step(challenge), ("x", "t", "noise_estimate", "noise"))

    def classifier_gradient(self, classifier, x, t, y):
        """Return the stub's gradient, with the shape of x, and record the call."""
        if classifier is not self.classifier:
            raise ValueError("classifier_gradient was called with something else than the classifier")
        return self.gradients(x, t, y)

    def ddpm_step(self, x, t, noise_estimate, noise, schedule):
        """Return the stub's next state, with the shape of x, and record the call."""
        if not isinstance(schedule, tuple) or len(schedule) != 3:
            raise ValueError("ddpm_step was called with something else than the schedule")
        return self.steps(x, t, noise_estimate, noise)


def as_function(stub: Callable[..., object]) -> Callable[..., object]:
    """Return a plain function, as the lab passes, that does what a stub does."""
    return lambda *inputs, **named: stub(*inputs, **named)
