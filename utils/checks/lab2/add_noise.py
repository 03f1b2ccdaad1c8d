"""Exercise 2.2, public half: the noise schedule, and noise on the ring."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.ring import require_given_noise, require_in_cell, same_place
from utils.checks.student import Student

RUNS = {
    # run: shape of x0, dtype
    "main": ((40, 2), torch.float64),
    "wide": ((17, 5), torch.float64),
    "one": ((1, 2), torch.float64),
    "single": ((12, 2), torch.float32),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge. The noise levels are not the lab's, so that constants show."""

    x0: Tensor  # (b, n) clean states
    t: Tensor  # (b, 1) times; the first two are 0 and 1
    noise: Tensor  # (b, n)
    sigma_min: float
    sigma_max: float

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Draw the inputs of a run."""
        shape, dtype = RUNS[run]
        x0 = challenge.rand(f"{run} x0", shape, dtype=dtype)
        noise = challenge.randn(f"{run} noise", shape, dtype)
        t = challenge.rand(f"{run} t", (shape[0], 1), dtype=dtype)
        if shape[0] > 2:
            t[0], t[1] = 0.0, 1.0
            noise[1, 0], noise[1, 1] = 3.0, -3.0  # more than once around the ring
        return cls(x0, t, noise, challenge.number("sigma_min", 0.004, 0.02), challenge.number("sigma_max", 0.5, 0.9))


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate sigma(t) and the noised state of every run, and one noised state twice."""
    Noise = student.method("ExponentialNoise", "sigma", "t")
    student.method("ExponentialNoise", "add_noise", "x0", "t", "noise")
    for run in RUNS:
        inputs, given = Inputs.of(challenge, run), Inputs.of(challenge, run)
        levels = inputs.sigma_min, inputs.sigma_max
        with evidence.attempt(f"{run}_sigma"):
            evidence.put(f"{run}_sigma/value", Noise(*levels).sigma(given.t))
        with evidence.attempt(f"{run}_noised"):
            evidence.put(f"{run}_noised/value", Noise(*levels).add_noise(given.x0, given.t, given.noise))
        evidence.put(f"{run}/inputs_kept", same_tensors(given, inputs))
    with evidence.attempt("again"):  # the same inputs once more, to see whether the code draws noise of its own
        given = Inputs.of(challenge, "main")
        again = Noise(given.sigma_min, given.sigma_max).add_noise(given.x0, given.t, given.noise)
        evidence.put("again/value", again)
    with evidence.attempt("device"):
        given = Inputs.of(challenge.on("meta"), "single")
        Noise(given.sigma_min, given.sigma_max).add_noise(given.x0, given.t, given.noise)


def require_sigma(judge: Judge, run: str) -> Tensor:
    """Return sigma(t) of a run, (b, 1) in float64.

    Fails unless it is finite, has the shape of t and does not lose digits of float64.
    """
    t = Inputs.of(judge.challenge, run).t
    sigma = judge.tensor(f"{run}_sigma/value", t.shape, "sigma(t)")
    if t.dtype == torch.float64:
        judge.require_precision(f"{run}_sigma/value", t.dtype, "sigma(t)")
    return sigma


def require_noised(judge: Judge, run: str) -> Tensor:
    """Return the noised state of a run, (b, n) in float64.

    Fails unless it is finite, has the shape of x0 and does not lose digits of float64, and the inputs are unchanged.
    """
    x0 = Inputs.of(judge.challenge, run).x0
    noised = judge.tensor(f"{run}_noised/value", x0.shape, "The noised state")
    require_unchanged(judge, f"{run}/inputs_kept")
    if x0.dtype == torch.float64:
        judge.require_precision(f"{run}_noised/value", x0.dtype, "The noised state")
    return noised


def require_repeatable(judge: Judge) -> None:
    """Fail if two calls with the same noise returned different states."""
    first, again = (judge.tensor(f"{name}/value", what="The noised state") for name in ("main_noised", "again"))
    require_given_noise(judge, first, again, "your method")


def check_sigma(judge: Judge, run: str) -> None:
    """Test the known properties of the schedule: its ends, and that its logarithm is linear in time."""
    inputs = Inputs.of(judge.challenge, run)
    sigma = require_sigma(judge, run)
    if len(inputs.t) <= 2:
        return
    low, high = inputs.sigma_min, inputs.sigma_max
    first, last = float(sigma[0]), float(sigma[1])
    judge.require(
        abs(first / low - 1) < 1e-4 and abs(last / high - 1) < 1e-4,
        "wrong_ends",
        f"At t = 0 and t = 1 your sigma is {first:.6g} and {last:.6g}. "
        f"It should be self.sigma_min and self.sigma_max, here {low:.6g} and {high:.6g}.",
    )
    order = inputs.t.double().flatten().argsort()
    t, logs = inputs.t.double().flatten()[order], sigma.flatten()[order].clamp(min=1e-300).log()
    slopes = logs.diff() / t.diff()
    judge.require(
        float(slopes.max() / slopes.min()) < 1.01,
        "not_exponential",
        "The logarithm of your sigma does not rise linearly with time.",
    )


def check_noised(judge: Judge, run: str) -> None:
    """Compare the noised state with the clean one plus the student's own sigma times the noise."""
    inputs = Inputs.of(judge.challenge, run)
    noised = require_noised(judge, run)
    require_repeatable(judge)
    require_in_cell(judge, noised, "Your noised state")
    sigma = judge.tensor(f"{run}_sigma/value", what="sigma(t)")
    judge.require(
        same_place(noised, inputs.x0.double() + sigma * inputs.noise.double(), 1e-5),
        "wrong_noise",
        "The noised state is not x0 plus your sigma(t) times the noise, even up to whole turns of the ring.",
    )


def check(judge: Judge) -> None:
    """Test the known properties of schedule and noise on the public challenge."""
    with judge.part("sigma", 1):
        for run in RUNS:
            check_sigma(judge, run)
        judge.device()
    with judge.part("noise", 1):
        for run in RUNS:
            check_noised(judge, run)


EXERCISE = Exercise(
    "lab2.add_noise",
    points=2,
    title="Noise on a ring",
    names=("ExponentialNoise",),
    probe=probe,
    public=check,
    version=2,
)
