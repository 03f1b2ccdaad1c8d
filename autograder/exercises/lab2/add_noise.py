"""Exercise 2.2, hidden half: the noise schedule, and noise on the ring."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, evaluated
from autograder.exercises.kits.ring import fail_on_ring
from utils.checks.judging import Judge
from utils.checks.kits.inputs import in_double
from utils.checks.kits.left_behind import require_nothing_left
from utils.checks.kits.ring import require_in_cell, same_place
from utils.checks.lab2.add_noise import (
    PLACE_ROUNDING,
    ROUNDING,
    RUNS,
    SIGMA_ATTEMPTS,
    Inputs,
    require_noised_states,
    require_repeatable,
    require_samples_apart,
    require_sigma,
    sigma_of_noise,
)


def exact_sigma(inputs: Inputs) -> Tensor:
    """Return sigma(t), (b, 1)."""
    return inputs.sigma_min * (inputs.sigma_max / inputs.sigma_min) ** inputs.t


SIGMA_MISTAKES = [
    Mistake(
        "linear",
        lambda i: i.sigma_min + (i.sigma_max - i.sigma_min) * i.t,
        "Your sigma grows linearly. It has to grow by the same *factor* in equal times.",
    ),
    Mistake(
        "time_reversed",
        lambda i: i.sigma_max * (i.sigma_min / i.sigma_max) ** i.t,
        "Your sigma falls with time. Data are at t = 0, where the noise is smallest.",
    ),
    Mistake(
        "variance_linear",
        lambda i: (i.sigma_min**2 + (i.sigma_max**2 - i.sigma_min**2) * i.t).sqrt(),
        "Your variance grows linearly. sigma has to grow by the same *factor* in equal times.",
    ),
    Mistake(
        "variance_instead",
        lambda i: exact_sigma(i) ** 2,
        "You return the variance sigma². The standard deviation is expected.",
    ),
    Mistake("root_instead", lambda i: exact_sigma(i).sqrt(), "You return the root of sigma. Return sigma itself."),
    Mistake(
        "constants_instead",
        lambda i: 0.001 * 200.0**i.t,
        "You use the lab's 0.001 and 0.2. Use `self.sigma_min` and `self.sigma_max`, which have other values here.",
    ),
    Mistake(
        "start_missing",
        lambda i: (i.sigma_max / i.sigma_min) ** i.t,
        "At t = 0 your sigma is 1. The factor sigma_min is missing.",
    ),
    Mistake(
        "log_of_sigma",
        lambda i: math.log(i.sigma_min) + math.log(i.sigma_max / i.sigma_min) * i.t,
        "You return the logarithm of sigma. Return sigma itself.",
    ),
    Mistake(
        "factor_not_divided",
        lambda i: i.sigma_min * i.sigma_max**i.t,
        "Your growth factor is sigma_max. It is sigma_max / sigma_min, because sigma must be sigma_max at t = 1.",
    ),
]
WRONG_SIGMA = (
    "wrong_sigma",
    "Your sigma(t) is not sigma_min (sigma_max / sigma_min)^t. Look at t = 0, at t = 1, and at t = 1/2, where it is "
    "the geometric mean of both.",
)


@dataclass(frozen=True)
class NoiseTerms:
    """What the noised states of the usual mistakes consist of, in float64."""

    x0: Tensor  # (b, n)
    t: Tensor  # (b, 1)
    noise: Tensor  # (b, n)
    sigma: Tensor  # (b, 1), the student's own if it can be one
    sigma_max: float


NOISE_MISTAKES = [
    Mistake(
        "wrong_sign",
        lambda n: n.x0 - n.sigma * n.noise,
        "You subtract the noise. The distribution is the same, but the result with the given noise is not.",
    ),
    Mistake(
        "variance_for_width",
        lambda n: n.x0 + n.sigma**2 * n.noise,
        "You multiply the noise by sigma². Its standard deviation is sigma.",
    ),
    Mistake(
        "root_for_width",
        lambda n: n.x0 + n.sigma.sqrt() * n.noise,
        "You multiply the noise by the root of sigma. Its standard deviation is sigma.",
    ),
    Mistake("no_sigma", lambda n: n.x0 + n.noise, "You add the noise without its standard deviation sigma(t)."),
    Mistake("no_noise", lambda n: n.x0, "Your noised state is the clean one."),
    Mistake(
        "time_for_sigma",
        lambda n: n.x0 + n.t * n.noise,
        "You multiply the noise by t. Its standard deviation is sigma(t).",
    ),
    Mistake(
        "data_shrunk",
        lambda n: (1 - n.sigma**2).clamp(min=0).sqrt() * n.x0 + n.sigma * n.noise,
        "You shrink the data, as a variance-preserving path does. On a ring nothing is shrunk: add the noise and wrap.",
    ),
    Mistake(
        "data_shrunk",
        lambda n: (1 - n.t) * n.x0 + n.sigma * n.noise,
        "You shrink the data by 1 - t. On a ring nothing is shrunk: add the noise, and wrap.",
    ),
    Mistake(
        "sigma_max_always",
        lambda n: n.x0 + n.sigma_max * n.noise,
        "You use sigma_max at every time. The standard deviation is sigma(t).",
    ),
]
WRONG_NOISE = (
    "wrong_noise",
    "The noised state is not x0 plus sigma(t) times the noise, wrapped into the cell [0, 1).",
)


def judge_sigma(judge: Judge, actual: Tensor, inputs: Inputs) -> None:
    """Compare sigma(t), each number by its own size: the least noise is a hundredth of the largest."""
    exact = exact_sigma(inputs)

    def mistakes() -> list[tuple[str, str, Tensor]]:
        return [(code, message, wrong / exact) for code, message, wrong in evaluated(SIGMA_MISTAKES, inputs)]

    judge.compare(actual / exact, torch.ones_like(exact), mistakes, WRONG_SIGMA, ROUNDING, 0.0)


def own_sigma(judge: Judge, run: str, exact: Tensor) -> Tensor:
    """Return the student's own sigma(t) if it can be one, so that a wrong schedule does not cost the noise as well."""
    own = sigma_of_noise(judge, run)
    if own is None or own.shape != exact.shape or not bool(torch.isfinite(own).all()):
        return exact
    if run == "shared":
        return own
    if not bool((own > 0).all()) or (len(own) > 2 and float(own.std()) < 1e-3 * float(own.max())):
        return exact
    if float(own.max()) < 1e-3 * float(exact.max()):  # with so little noise, mistakes cannot be distinguished
        return exact
    return own


def judge_noised(judge: Judge, run: str, actual: Tensor) -> None:
    """Compare the noised state of a run, as places on the ring."""
    inputs = Inputs.of(judge.challenge, run)
    inputs = in_double(inputs)
    sigma = own_sigma(judge, run, exact_sigma(inputs))
    tolerance = PLACE_ROUNDING + ROUNDING * sigma * inputs.noise.abs()
    unwrapped = inputs.x0 + sigma * inputs.noise
    if same_place(actual, unwrapped, tolerance):
        require_in_cell(judge, actual, "Your noised state")
        return
    require_repeatable(judge)
    for wrong in (unwrapped.clamp(0, 1), unwrapped.abs(), 1 - (1 - unwrapped.abs()).abs()):
        judge.require(
            not bool(((actual - wrong).abs() <= tolerance).all()),
            "walls",
            "Your atoms stop at the cell's edge or bounce off it. A ring has no edge: an atom that leaves at 1 comes "
            "back at 0.",
        )
    terms = NoiseTerms(inputs.x0, inputs.t, inputs.noise, sigma, inputs.sigma_max)
    fail_on_ring(judge, actual, NOISE_MISTAKES, terms, WRONG_NOISE, tolerance)


def verdict(judge: Judge) -> None:
    """One point for the schedule, one for the noised states."""
    with judge.part("sigma", points=1):
        for run in RUNS:
            inputs = in_double(Inputs.of(judge.challenge, run))
            actual = require_sigma(judge, run)
            judge_sigma(judge, actual, inputs)
        require_nothing_left(judge, SIGMA_ATTEMPTS)
        judge.device()
    with judge.part("noise", points=1):
        for run, actual in require_noised_states(judge).items():
            judge_noised(judge, run, actual)
        require_samples_apart(judge)
