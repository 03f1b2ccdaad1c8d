"""Exercise 3.8: the hidden verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, evaluated
from utils.checks.judging import Judge
from utils.checks.lab3.what_guidance_samples import (
    RUNS,
    TOLERANCE,
    Inputs,
    judge_variances,
    require_variance,
)


@dataclass(frozen=True)
class Terms:
    """One of the three variances, and what it depends on. All numbers are float64 tensors."""

    label: str
    S: Tensor
    s: Tensor
    w: Tensor

    @classmethod
    def of(cls, inputs: Inputs, label: str) -> Terms:
        """Return the terms for the inputs, as float64 tensors."""
        return cls(label, *(torch.tensor(float(v), dtype=torch.float64) for v in (inputs.S, inputs.s, inputs.w)))

    @property
    def values(self) -> dict[str, Tensor]:
        """All three variances by their names."""
        S, s, w = self.S, self.s, self.w
        return {
            "tilt": S * s / (s + w * (S - s)),
            "ode": S ** (1 - w) * s**w,
            "sde": (S * s - S ** (2 - 2 * w) * s ** (2 * w)) / ((S - s) * (2 * w - 1)),
        }

    @property
    def expected(self) -> Tensor:
        """The variance that was asked for."""
        return self.values[self.label]


EVERYWHERE = [
    Mistake(
        "scale_plus_one",
        lambda v: replace(v, w=v.w + 1).expected,
        lambda v: f"Your '{v.label}' is right for the scale w + 1. Here w = 0 is no guidance and w = 1 is the class.",
    ),
    Mistake(
        "arguments_swapped",
        lambda v: replace(v, S=v.s, s=v.S).expected,
        lambda v: f"In your '{v.label}' S and s have changed places. S is the variance of all data.",
    ),
]
BY_VARIANCE = {
    # variance: mistakes that only this one knows
    "tilt": [
        Mistake(
            "precisions_averaged",
            lambda v: 1 / (1 / v.S + v.w / v.s),
            "You add w / s to 1 / S. The tilt contains p(x) once and p(y | x) w times: "
            "which precision does p(y | x) have by itself?",
        ),
        Mistake(
            "variances_averaged",
            lambda v: (1 - v.w) * v.S + v.w * v.s,
            "You average the variances, not the precisions.",
        ),
    ],
    "ode": [
        Mistake(
            "rate_doubled",
            lambda v: v.S ** (2 - 2 * v.w) * v.s ** (2 * v.w),
            "Your 'ode' grows at the rate 2 lambda. Without noise the rate of a variance is lambda.",
        ),
        Mistake(
            "linear_in_w",
            lambda v: (1 - v.w) * v.S + v.w * v.s,
            "Your 'ode' is (1 - w) S + w s. The equation's solution is a product of powers.",
        ),
    ],
    "sde": [
        Mistake(
            "noise_forgotten",
            lambda v: v.S ** (2 - 2 * v.w) * v.s ** (2 * v.w),
            "Your SDE loses variance but gains none: the noise term is missing.",
        ),
        Mistake(
            "noise_alone",
            lambda v: v.S * v.s / ((v.S - v.s) * (2 * v.w - 1)),
            "One of the two terms of your 'sde' is missing: the integral of 1 / H has two ends.",
        ),
    ],
}


def mistakes_for(label: str) -> list[Mistake]:
    """Return the table of one of the three variances."""
    return [*EVERYWHERE, *BY_VARIANCE[label]]


def explain(judge: Judge, label: str) -> None:
    """Fail with the mistake that gives the student's numbers in every run, if there is one."""
    actual = [torch.tensor(require_variance(judge, run, label), dtype=torch.float64) for run in RUNS]
    terms = [Terms.of(Inputs.of(judge.challenge, run), label) for run in RUNS]
    for found in zip(*(evaluated(mistakes_for(label), each) for each in terms), strict=True):
        if all(judge.close(value, wrong, TOLERANCE, 0.0) for value, (*_, wrong) in zip(actual, found, strict=True)):
            judge.fail(*found[0][:2])


def verdict(judge: Judge) -> None:
    """Judge each run by its three numbers."""
    judge_variances(
        judge,
        lambda run, label: float(Terms.of(Inputs.of(judge.challenge, run), label).expected),
        lambda run, label, actual: explain(judge, label),
    )
