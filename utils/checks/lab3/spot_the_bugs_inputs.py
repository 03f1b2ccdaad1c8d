"""The inputs and the stubs of exercise 3.7."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from utils.checks.challenge import Challenge
from utils.checks.kits.mixed_modes import add_parts, mix_modes
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
    steepness: float = 1.0  # the size of the classifier's gradient
    modules: bool = False  # model and classifier are modules, and not functions

    @property
    def all_steps(self) -> tuple[int, ...]:
        """The shape of the x of all steps, joined along the batch."""
        return (STEPS * self.shape[0], *self.shape[1:])

    @property
    def blur(self) -> float:
        """How large a difference can be by rounding alone."""
        return 1e-9 if self.dtype == torch.float64 else 1e-4


RUNS = {
    "main": Run((4, 1, 2, 3), 1.75),
    "large": Run((3, 7), 8.0, steepness=100.0),
    "negative": Run((5, 1, 3, 2), -1.2, modules=True),
    "honest": Run((3, 1, 4, 2), 1.0, torch.float32, hard=True),
    "plain": Run((1, 1, 4, 2), 0.0, torch.float32, hard=True),
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


def stub_gradient(challenge: Challenge, run: str) -> RandomField:
    """Return a random field in place of the classifier's gradient."""
    return RandomField(challenge, "gradient", amplitude=RUNS[run].steepness)


def stub_step(challenge: Challenge) -> Callable[..., Tensor]:
    """Return a random field in place of the DDPM step. The first number of each sample lies far out."""
    field = RandomField(challenge, "step", amplitude=2.5)

    def step(*inputs: Tensor) -> Tensor:
        value = field(*inputs)
        first = value.flatten(1)[:, 0]
        first += FARTHEST_STEP * first.tanh()
        return value

    return step


class StubModule(nn.Module):
    """A module in place of a function, with a parameter, and with parts in two modes."""

    def __init__(self, function: Callable[..., object]):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(1))
        add_parts(self)
        mix_modes(self, 0)

    def forward(self, *inputs: object, **named: object) -> object:
        """Return what the function returns."""
        return self.function(*inputs, **named)


class SamplerStubs:
    """Recording stubs for the model, the classifier's gradient and the DDPM step.

    Attributes:
        given_model: The model as the sampler gets it.
        classifier: Only to be handed on.
        modules: Both, by name, if they are modules.
        differentiable: Whether each call of `classifier_gradient` could have computed a gradient.
    """

    def __init__(self, challenge: Challenge, run: str):
        self.model = Recorder(stub_model(challenge), ("x", "t"))
        give = StubModule if RUNS[run].modules else as_function
        self.given_model, self.classifier = give(self.model), give(lambda x, t: x)
        both = {"model": self.given_model, "classifier": self.classifier}
        self.modules = {name: thing for name, thing in both.items() if isinstance(thing, nn.Module)}
        self.differentiable = True
        self.gradients = Recorder(stub_gradient(challenge, run), ("x", "t", "y"))
        self.steps = Recorder(stub_step(challenge), ("x", "t", "noise_estimate", "noise"))

    def classifier_gradient(self, classifier, x, t, y):
        """Return the stub's gradient, with the shape of x, and record the call."""
        if classifier is not self.classifier:
            raise ValueError("classifier_gradient was called with something else than the classifier")
        self.differentiable &= not (torch.is_inference_mode_enabled() or (isinstance(x, Tensor) and x.is_inference()))
        return self.gradients(x, t, y)

    def ddpm_step(self, x, t, noise_estimate, noise, schedule):
        """Return the stub's next state, with the shape of x, and record the call."""
        if not isinstance(schedule, tuple) or len(schedule) != 3:
            raise ValueError("ddpm_step was called with something else than the schedule")
        if isinstance(noise, (int, float)):  # a 0 at the end, where no noise is added
            noise = torch.full_like(x, noise)
        return self.steps(x, t, noise_estimate, noise)


def as_function(stub: Callable[..., object]) -> Callable[..., object]:
    """Return a plain function, as the lab passes, that does what a stub does."""
    return lambda *inputs, **named: stub(*inputs, **named)
