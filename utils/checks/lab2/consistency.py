"""Exercise 2.6, public half: the target of consistency between two times."""

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
from utils.checks.kits.ring import on_ring
from utils.checks.student import Student

RUNS = {
    # run: shape of x, dtype
    "main": ((40, 2), torch.float64),
    "wide": ((9, 4), torch.float64),
    "one": ((1, 2), torch.float64),
    "single": ((12, 2), torch.float32),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge."""

    x: Tensor  # (b, n) states at the start of a walk
    y: Tensor  # (b, n) states at its end
    sigma_start: Tensor  # (b, 1)
    sigma_end: Tensor  # (b, 1), below sigma_start

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Draw the inputs of a run."""
        shape, dtype = RUNS[run]
        end = challenge.rand(f"{run} end", (shape[0], 1), 0.05, 0.25, dtype)
        start = end + challenge.rand(f"{run} gap", (shape[0], 1), 0.05, 0.25, dtype)
        x, y = (challenge.rand(f"{run} {which}", shape, dtype=dtype) for which in ("x", "y"))
        return cls(x, y, start, end)

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `consistency_target` is called with."""
        return self.x, self.y, self.sigma_start, self.sigma_end


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the target of every run, and once on torch's `meta` device."""
    target = student.function("consistency_target", "x", "y", "sigma_start", "sigma_end")
    for run in RUNS:
        inputs, given = Inputs.of(challenge, run), Inputs.of(challenge, run)
        with evidence.attempt(run):
            evidence.put(f"{run}/target", target(*given.arguments))
        evidence.put(f"{run}/inputs_kept", same_tensors(given, inputs))
    with evidence.attempt("device"):
        target(*Inputs.of(challenge.on("meta"), "single").arguments)


def require_target(judge: Judge, run: str) -> Tensor:
    """Return the target of a run, (b, n) in float64.

    Fails unless it is finite, has the shape of x and does not lose digits of float64, and the inputs are unchanged.
    """
    x = Inputs.of(judge.challenge, run).x
    target = judge.tensor(f"{run}/target", x.shape, "The target", finite=False)
    judge.require(
        torch.isfinite(target).all(),
        "not_finite",
        "Your target contains NaN or infinity. Do you take the root of a negative number? "
        "sigma_start is larger than sigma_end.",
    )
    require_unchanged(judge, f"{run}/inputs_kept")
    if x.dtype == torch.float64:
        judge.require_precision(f"{run}/target", x.dtype, "The target")
    return target


# The mean absolute target on the public challenge, by automatic differentiation of log K in float64:
# tests/exercises/lab2/test_consistency.py makes these numbers again.
PUBLIC_TARGETS = {"main": 1.0342498, "wide": 0.6215008, "one": 1.5738744, "single": 0.6240779}
TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-3}


def check(judge: Judge) -> None:
    """Test the direction of the targets, and compare their size with the numbers of the oracle."""
    with judge.part("target", 1):
        targets = {run: require_target(judge, run) for run in RUNS}
        for run, target in targets.items():
            inputs = Inputs.of(judge.challenge, run)
            towards_y = on_ring(inputs.y - inputs.x).double()
            judge.require(
                ((target * towards_y >= 0) | (towards_y.abs() < 1e-4)).all(),
                "points_away",
                "Your target does not point from x to y by the shorter way around the ring.",
            )
            actual, expected = float(target.abs().mean()), PUBLIC_TARGETS[run]
            judge.require(
                abs(actual / expected - 1) < TOLERANCES[RUNS[run][1]],
                "wrong_size",
                f"Your target has the right direction but the wrong size, {actual / expected:.7g} times the right one "
                "on average. Look at the factor in front, and at the variance of the Gaussian.",
            )
        judge.device()


EXERCISE = Exercise(
    "lab2.consistency",
    points=1,
    title="Scores at two times have to agree",
    names=("consistency_target",),
    probe=probe,
    public=check,
)
