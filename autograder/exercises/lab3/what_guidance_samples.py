"""Exercise 3.8: the hidden verdict."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, compare
from utils.checks.judging import Judge
from utils.checks.lab3.what_guidance_samples import RUNS, VARIANCES, Inputs, require_variance


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


def swap(label: str, other: str) -> Mistake:
    """Return the mistake of returning one variance in the place of another."""
    return Mistake(
        f"{other}_for_{label}",
        lambda v: v.values[other],
        f"Where '{label}' is needed, you return the variance called '{other}'.",
    )


MISTAKES = [
    Mistake(
        "root_for_variance",
        lambda v: v.expected.sqrt(),
        lambda v: f"Your '{v.label}' is a standard deviation. Return the variance.",
    ),
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
    Mistake(
        "exponents_swapped",
        lambda v: v.S**v.w * v.s ** (1 - v.w),
        "Your exponents are swapped: at w = 0 the result has to be S.",
    ),
]

NOISE_FORGOTTEN = Mistake(
    "noise_forgotten",
    lambda v: v.S ** (2 - 2 * v.w) * v.s ** (2 * v.w),
    "Your SDE loses variance but gains none: the noise term is missing.",
)


def mistakes_for(label: str) -> list[Mistake]:
    """Return the table of one of the three variances."""
    swapped = [swap(label, other) for other in VARIANCES if other != label]
    return [*swapped, *MISTAKES, *([NOISE_FORGOTTEN] if label == "sde" else [])]


def verdict(judge: Judge) -> None:
    """Judge each run by its three numbers."""
    with judge.part("variances", points=1):
        for run in RUNS:
            inputs = Inputs.of(judge.challenge, run)
            for label in VARIANCES:
                actual, terms = require_variance(judge, run, label), Terms.of(inputs, label)
                compare(
                    judge, torch.tensor(actual, dtype=torch.float64), terms.expected, mistakes_for(label), terms,
                    (f"wrong_{label}", f"For S = {inputs.S:.3g}, s = {inputs.s:.3g}, w = {inputs.w:.3g} "
                     f"your '{label}' is {actual:.6g}, which is wrong. Check your formula by hand at w = 0 and w = 1, "
                     "then solve the equation again."),
                    1e-5,
                )  # fmt: skip
