"""What a classifier's loss is called with: the sessions of an exercise, and the stubs from which a trainer is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.judging import Judge, Mistakes
from utils.checks.kits.dealt_data import DealtData
from utils.checks.kits.known_losses import SPARE
from utils.checks.stubs import RandomField, Recorder

CLASSES = 3
LARGE = 64.0  # samples of this size show limits; a power of two keeps them float32 numbers


@dataclass(frozen=True)
class Session:
    """One trainer, and the calls of its loss.

    Args:
        shape: The shape of one sample.
        dtype: The type of the samples and of the model.
        batches: The batch size of each call.
        knob: What the exercise varies besides: the earliest time, or the number of steps.
        scale: How large the samples are.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    batches: tuple[int, ...]
    knob: float
    scale: float = 1.0

    def data(self, challenge: Challenge, name: str) -> DealtData:
        """Return the session's stub of the data. It has more rows than needed: not every detour is a mistake."""
        count = 3 * sum(self.batches) + SPARE
        return DealtData(challenge, name, self.shape, CLASSES, self.dtype, count, scale=self.scale)


# Sizes differ, so that a batch that is kept shows; some come twice, so that one kept by its size shows, too.
MAIN = (128, 32, 128, 128, 1, 128, 32, 128)
CROWD = (10_000, 10_000)  # uniform numbers that stay a thousandth away from an end show


def sessions(shape: tuple[int, ...], long: tuple[int, ...], single: tuple[int, ...], knobs: Mapping[str, float]):
    """Return the sessions of an exercise: many calls, large batches, long samples, and float32.

    Args:
        shape: The shape of one sample in `main`.
        long: The shape of one sample in `long`.
        single: The shape of one sample in `single`, the session in float32.
        knobs: The knob of each session.
    """
    double = torch.float64
    crowd = tuple(2 for _ in shape)  # several channels, rows and numbers in a row: none may share its noise
    return {
        "main": Session(shape, double, MAIN, knobs["main"]),
        "crowd": Session(crowd, double, CROWD, knobs["crowd"]),
        "long": Session(long, double, (48, 16), knobs["long"], LARGE),
        "single": Session(single, torch.float32, (16, 7), knobs["single"]),
    }


@dataclass(frozen=True)
class Stubs:
    """The stubs from which a trainer is built."""

    challenge: Challenge
    dtype: torch.dtype
    model: torch.nn.Module  # model(x, t)
    data: DealtData  # data.sample(n)
    noising: Recorder  # noising(x0, t, noise)
    knob: float


@dataclass(frozen=True)
class ClassifierLoss:
    """What differs between the exercises that ask for such a loss.

    Args:
        trainer: The name of the graded class.
        build: Builds a trainer from the student's class and the stubs.
        sessions: The sessions by name.
        time_axes: The axes of t after the batch: `(1, 1)` for t of shape (b, 1, 1), `()` for (b,).
        require_times: Fails unless the times of one session, one (b,) for each call, have the right distribution.
        other_times: Code, message and value of known wrong times for the model, from the right ones and the knob.
        require_time: Fails unless t of a single call is as it must be, such as integers. Gets the knob, too.
        keeps_dtype: Whether the exercise asks for times and noise in the dtype of the samples.
    """

    trainer: str
    build: Callable[[type, Stubs], Any]
    sessions: dict[str, Session]
    time_axes: tuple[int, ...]
    require_times: Callable[[Judge, str, list[Tensor]], None]
    other_times: Callable[[Tensor, float], Mistakes]
    require_time: Callable[[Judge, Tensor, float], None] | None = None
    keeps_dtype: bool = False

    @property
    def calls(self) -> dict[str, tuple[str, int]]:
        """Session and batch size of each call by its name, such as `main0`."""
        return {
            f"{name}{index}": (name, batch)
            for name, session in self.sessions.items()
            for index, batch in enumerate(session.batches)
        }


def stub_noising(challenge: Challenge) -> RandomField:
    """Return the function that replaces `add_noise(x0, t, noise)`."""
    return RandomField(challenge, "noising")


def recorded_noising(challenge: Challenge) -> Recorder:
    """Return `stub_noising` with every call recorded. Noise of another shape than x0 is left to the judge."""
    noising = stub_noising(challenge)

    def noised(x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        tensors = isinstance(x0, Tensor) and isinstance(noise, Tensor)
        return noising(x0, t, torch.zeros_like(x0) if tensors and noise.shape != x0.shape else noise)

    return Recorder(noised, ("x0", "t", "noise"))
