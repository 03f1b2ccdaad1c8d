"""Exercise 2.4, public half: one step of the predictor, one of the corrector."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from utils.atoms import SIGMA_MIN
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.ring import on_ring, require_given_noise, require_in_cell
from utils.checks.student import Student

RUNS = {
    # run: shape of x, dtype
    "main": ((40, 2), torch.float64),
    "wide": ((9, 4), torch.float64),
    "last": ((6, 2), torch.float64),
    "one": ((1, 2), torch.float64),
    "single": ((12, 2), torch.float32),
}
ARGUMENTS = {
    "predictor": ("x", "score", "sigma", "sigma_next", "noise"),
    "corrector": ("x", "score", "step", "noise"),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run of either step, all fixed by the challenge. Steps leave the cell on both sides."""

    x: Tensor  # (b, n) states
    score: Tensor  # (b, n)
    sigma: Tensor  # (b, 1)
    sigma_next: Tensor  # (b, 1), below sigma; in `last` the lab's least noise, or none at all
    step: Tensor  # (b, 1) size of the corrector's step
    noise: Tensor  # (b, n)

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Draw the inputs of a run."""
        shape, dtype = RUNS[run]
        later = challenge.rand(f"{run} later", (shape[0], 1), 0.05, 0.3, dtype)
        gap = challenge.rand(f"{run} gap", (shape[0], 1), 0.05, 0.3, dtype)
        if shape[0] > 2:  # one of the last steps, with little noise left
            later[0], gap[0] = later[0] / 10, gap[0] / 10
        if run == "last":
            later, gap = torch.full_like(later, SIGMA_MIN), gap / 10
            later[0] = 0.0
        return cls(
            x=challenge.rand(f"{run} x", shape, dtype=dtype),
            score=4 * challenge.randn(f"{run} score", shape, dtype),
            sigma=later + gap,
            sigma_next=later,
            step=challenge.rand(f"{run} step", (shape[0], 1), 0.01, 0.1, dtype),
            noise=challenge.randn(f"{run} noise", shape, dtype),
        )

    def arguments(self, name: str) -> list[Tensor]:
        """Return what `predictor_step` or `corrector_step` is called with."""
        return [getattr(self, argument) for argument in ARGUMENTS[name]]


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Take every step once, one without score and noise, and one twice."""
    for name in ARGUMENTS:
        with evidence.attempt(f"{name}_found"):
            student.function(f"{name}_step", *ARGUMENTS[name])
        for run in RUNS:
            inputs, given = Inputs.of(challenge, run), Inputs.of(challenge, run)
            with evidence.attempt(f"{name}_{run}"):
                evidence.put(f"{name}_{run}/state", student[f"{name}_step"](*given.arguments(name)))
            evidence.put(f"{name}_{run}/inputs_kept", same_tensors(given, inputs))
        with evidence.attempt(f"{name}_still"):  # no score, no noise: nothing moves
            given = Inputs.of(challenge, "main")
            given = replace(given, score=0 * given.score, noise=0 * given.noise)
            evidence.put(f"{name}_still/state", student[f"{name}_step"](*given.arguments(name)))
        with evidence.attempt(f"{name}_again"):  # the same inputs once more: does the step draw noise of its own?
            given = Inputs.of(challenge, "main")
            evidence.put(f"{name}_again/state", student[f"{name}_step"](*given.arguments(name)))
        with evidence.attempt(f"{name}_device"):
            given = Inputs.of(challenge.on("meta"), "single")
            student[f"{name}_step"](*given.arguments(name))


def require_state(judge: Judge, name: str, run: str) -> Tensor:
    """Return the new state of a step, (b, n) in float64.

    Fails unless it is finite, has the shape of x and does not lose digits of float64, and the inputs are unchanged.
    """
    x = Inputs.of(judge.challenge, run).x
    state = judge.tensor(f"{name}_{run}/state", x.shape, "The new state", finite=False)
    judge.require(
        torch.isfinite(state).all(),
        "not_finite",
        f"The new state of your {name} contains NaN or infinity. Do you take the root of a negative number? "
        "sigma is larger than sigma_next.",
    )
    require_unchanged(judge, f"{name}_{run}/inputs_kept")
    if x.dtype == torch.float64:
        judge.require_precision(f"{name}_{run}/state", x.dtype, "The new state")
    return state


def require_repeatable(judge: Judge, name: str) -> None:
    """Fail if two steps with the same noise led to different states."""
    first, again = (judge.tensor(f"{name}_{run}/state", what="The new state") for run in ("main", "again"))
    require_given_noise(judge, first, again, f"your {name}")


# The mean of cos(2 pi x) after a step on the public challenge, by NumPy in float64:
# tests/exercises/lab2/test_predictor_corrector.py makes these numbers again.
PUBLIC_STEPS = {
    ("predictor", "main"): 0.0428960,
    ("predictor", "wide"): -0.1382208,
    ("predictor", "last"): -0.1277399,
    ("predictor", "one"): 0.9004979,
    ("predictor", "single"): 0.1685034,
    ("corrector", "main"): 0.1393905,
    ("corrector", "wide"): -0.0360228,
    ("corrector", "last"): 0.1001052,
    ("corrector", "one"): 0.3599183,
    ("corrector", "single"): 0.1244398,
}
TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-4}


def check_steps(judge: Judge, name: str) -> None:
    """Test the known properties of one of the two steps, and compare its states with the numbers of the oracle."""
    judge.attempt(f"{name}_found")
    states = {run: require_state(judge, name, run) for run in RUNS}
    require_repeatable(judge, name)
    x = Inputs.of(judge.challenge, "main").x
    still = judge.tensor(f"{name}_still/state", x.shape, "The new state")
    judge.require(
        judge.close(on_ring(still - x), torch.zeros_like(x)),
        "moves_by_itself",
        f"With no score and no noise your {name} moves the atoms.",
    )
    for run, state in states.items():
        require_in_cell(judge, state, f"The new state of your {name}")
        wave = float(torch.cos(2 * math.pi * state).mean())
        judge.require(
            abs(wave - PUBLIC_STEPS[name, run]) < TOLERANCES[RUNS[run][1]],
            "wrong_step",
            f"Given this score and this noise, your {name} leads to another state than the formula. "
            "Look at one term at a time: is its factor a variance or a standard deviation?",
        )
    judge.device(f"{name}_device")


def check(judge: Judge) -> None:
    """Check both steps on the public challenge."""
    with judge.part("predictor", 2):
        check_steps(judge, "predictor")
    with judge.part("corrector", 1):
        check_steps(judge, "corrector")


EXERCISE = Exercise(
    "lab2.predictor_corrector",
    points=3,
    title="Predictor and corrector",
    names=("predictor_step", "corrector_step"),
    probe=probe,
    public=check,
    version=3,
)
