"""Exercise 1.2, hidden half: data and noise mixed with wrong factors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, compare
from utils import vp
from utils.checks.judging import Judge
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import require_layout_ignored
from utils.checks.lab1.add_noise import (
    RUNS,
    WHERE,
    Inputs,
    require_factors_at_the_ends,
    require_rows_apart,
    require_sample,
)


@dataclass(frozen=True)
class Terms:
    """The inputs of a run and the schedule at its times, in float64."""

    x0: Tensor  # (b, sites, d)
    t: Tensor  # (b, 1, 1), as the factors below
    noise: Tensor  # (b, sites, d)
    alpha: Tensor
    sigma: Tensor
    beta: Tensor

    @classmethod
    def of(cls, inputs: Inputs) -> Terms:
        """Return the terms of one run."""
        x0, t, noise = (tensor.double() for tensor in inputs.tensors())
        return cls(x0, t, noise, vp.alpha(t), vp.sigma(t), vp.beta(t))

    def mixed(self, data_factor: Tensor, noise_factor: Tensor) -> Tensor:
        """Return data and noise mixed with these factors."""
        return data_factor * self.x0 + noise_factor * self.noise


MISTAKES = [
    Mistake(
        "swapped",
        lambda s: s.mixed(s.sigma, s.alpha),
        "Data and noise have each other's factor, so that you return noise at t = 0.",
    ),
    Mistake(
        "variance_for_sigma",
        lambda s: s.mixed(s.alpha, s.sigma**2),
        "You multiply the noise by its variance. sigma(t) is already the standard deviation.",
    ),
    Mistake(
        "root_of_sigma",
        lambda s: s.mixed(s.alpha, s.sigma.sqrt()),
        "You take a square root of sigma(t), but it is a standard deviation, not a variance.",
    ),
    Mistake(
        "a_squared",
        lambda s: s.mixed(s.alpha**2, s.sigma),
        "You multiply the data by alpha², which is the factor of its variance. The factor of the data is alpha(t).",
    ),
    Mistake(
        "root_of_a",
        lambda s: s.mixed(s.alpha.sqrt(), s.sigma),
        "You take a square root of alpha(t), but the factor of the data is alpha(t) itself.",
    ),
    Mistake(
        "data_not_scaled",
        lambda s: s.mixed(torch.ones_like(s.alpha), s.sigma),
        "Your data keeps its full size, so the variance grows above 1. This kind of noising shrinks the data.",
    ),
    Mistake(
        "noise_not_scaled",
        lambda s: s.mixed(s.alpha, torch.ones_like(s.alpha)),
        "Your noise has its full size at every time.",
    ),
    Mistake(
        "linear",
        lambda s: s.mixed(1 - s.t, s.t),
        "You mix with 1 - t and t. The schedule of this lab is alpha(t) and sigma(t).",
    ),
    Mistake("one_minus_a", lambda s: s.mixed(s.alpha, 1 - s.alpha), "sigma(t) is sqrt(1 - alpha²), not 1 - alpha."),
    Mistake(
        "time_reversed",
        lambda s: s.mixed(vp.alpha(1 - s.t), vp.sigma(1 - s.t)),
        "With your factors the noise grows as t falls. In this lab the data is at t = 0.",
    ),
    Mistake(
        "noise_subtracted",
        lambda s: s.mixed(s.alpha, -s.sigma),
        "You subtract the noise. The result has the same distribution, but this noise was given: add it.",
    ),
    Mistake(
        "beta_for_sigma",
        lambda s: s.mixed(s.alpha, s.beta.sqrt()),
        "You multiply the noise by a root of beta(t). "
        "beta is the rate at which noise comes in, not how much has come in.",
    ),
    Mistake(
        "rotated", lambda s: s.alpha * s.x0 + s.sigma * s.noise * s.x0, "You multiply the noise with the data as well."
    ),
]


def time_of_largest_error(sample: Tensor, expected: Tensor, t: Tensor) -> float:
    """Return the time of the sample that differs most from the expected one."""
    errors = (sample - expected).abs().flatten(1).amax(1)
    return float(t.flatten()[int(errors.argmax())])


def verdict(judge: Judge) -> None:
    """Compare every run with alpha(t) x_0 + sigma(t) noise."""
    with judge.part("noise", points=2):
        for run in RUNS:
            inputs = Inputs.of(judge.challenge, run)
            sample, terms = require_sample(judge, run, inputs), Terms.of(inputs)
            expected = terms.mixed(terms.alpha, terms.sigma)
            otherwise = (
                "wrong_mixture",
                f"Your sample is not alpha(t) x_0 + sigma(t) noise (seen {WHERE[run]}). "
                f"It is farthest from that at t = {time_of_largest_error(sample, expected, terms.t):.4g}.",
            )
            rtol = 1e-5  # float32 inside is right; the dtype of the result is a requirement
            compare(judge, sample, expected, MISTAKES, terms, otherwise, rtol)
            require_unchanged(judge, f"{run}/inputs_kept")
        require_layout_ignored(judge, "letters")
        require_rows_apart(judge)
        require_factors_at_the_ends(judge)
        judge.device()
