"""Exercise 2.1, public half: the score of two atoms on a ring."""

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
from utils.checks.student import Student

RUNS = {
    # run: lowest and highest sigma, dtype, batch size
    "narrow": (0.001, 0.002, torch.float64, 60),  # and a crystal so narrow that far away every probability underflows
    "tiny": (0.001, 0.002, torch.float64, 60),
    "small": (0.01, 0.02, torch.float64, 60),
    "middle": (0.04, 0.08, torch.float64, 60),
    "large": (0.15, 0.25, torch.float64, 60),
    "widest": (0.4, 0.5, torch.float64, 60),
    "mixed": (0.001, 0.5, torch.float64, 60),
    "one": (0.05, 0.1, torch.float64, 1),
    "single": (0.01, 0.2, torch.float32, 40),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge."""

    x: Tensor  # (b, 2) states; the first rows are the hard places
    sigma: Tensor  # (b, 1) noise, equal for all samples but in `mixed` and `single`
    sigma_d: float  # width of the data

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Draw the inputs of a run."""
        low, high, dtype, batch = RUNS[run]
        x = challenge.rand(f"{run} x", (batch, 2), dtype=dtype)
        if batch > 30:
            x[0], x[1], x[2] = (torch.tensor(row) for row in ([0.25, 0.75], [0.75, 0.25], [0.0, 1.0]))
            x[3:6, 0], x[6:9, 1] = 0.0, 1 - 1e-7
            x[9:15, 1] = x[9:15, 0]  # the diagonal, where both orders are equally likely
            x[15:20, 1] = x[15:20, 0] + 1e-3
            x[20:30] = challenge.randn(f"{run} near", (10, 2), dtype) * 0.02 + x[0]
        logs = challenge.rand(f"{run} sigma", (batch if run in ("mixed", "single") else 1, 1), dtype=dtype)
        sigma = (low * (high / low) ** logs).expand(batch, 1).contiguous()
        return cls(x, sigma, 0.005 if run == "narrow" else challenge.number("sigma_d", 0.012, 0.03))


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the score at every noise level, and once on torch's `meta` device."""
    analytic_score = student.function("analytic_score", "x", "sigma", "sigma_d")
    for run in RUNS:
        inputs, given = Inputs.of(challenge, run), Inputs.of(challenge, run)
        with evidence.attempt(run):
            evidence.put(f"{run}/score", analytic_score(given.x, given.sigma, given.sigma_d))
        evidence.put(f"{run}/inputs_kept", same_tensors(given, inputs))
    with evidence.attempt("device"):
        inputs = Inputs.of(challenge, "single")
        analytic_score(inputs.x.to("meta"), inputs.sigma.to("meta"), inputs.sigma_d)


def require_score(judge: Judge, run: str) -> Tensor:
    """Return the score of a run, (b, 2) in float64.

    Fails unless it is finite, has the shape of x and at least its precision, and the inputs are unchanged.
    """
    x = Inputs.of(judge.challenge, run).x
    score = judge.tensor(f"{run}/score", x.shape, "The score", finite=False)
    judge.require_precision(f"{run}/score", x.dtype, "The score")
    require_unchanged(judge, f"{run}/inputs_kept")
    judge.require(
        torch.isfinite(score).all(),
        "not_finite",
        "Your score contains NaN or infinity. Far from the atoms every Gaussian is smaller than the smallest "
        "floating-point number: work with logarithms, `logsumexp` and `softmax`.",
    )
    return score


# The mean of score times `directions` on the public challenge, by automatic differentiation of the log density in
# float64: tests/exercises/lab2/test_analytic_score.py makes these numbers again.
PUBLIC_SCORES = {
    "narrow": -2.5367984,
    "tiny": 0.1407837,
    "small": -0.8114075,
    "middle": 0.1269344,
    "large": 0.0656261,
    "widest": 0.0002976,
    "mixed": -0.1134703,
    "one": 0.3570035,
    "single": -0.2473614,
}
TOLERANCES = {torch.float64: 1e-6, torch.float32: 2e-3}


def directions(challenge: Challenge, run: str) -> Tensor:
    """Return random directions of the shape of x, scaled so that every noise level has the same weight."""
    inputs = Inputs.of(challenge, run)
    width = (inputs.sigma.double() ** 2 + inputs.sigma_d**2).sqrt()
    return challenge.randn(f"{run} score probe", tuple(inputs.x.shape)) * width


def check(judge: Judge) -> None:
    """Compare the scores on the public challenge with the numbers of the oracle."""
    with judge.part("score", 4):
        scores = {run: require_score(judge, run) for run in RUNS}
        for run, expected in PUBLIC_SCORES.items():
            actual = float(scores[run].mul(directions(judge.challenge, run)).mean())
            _, high, dtype, _ = RUNS[run]
            judge.require(
                abs(actual - expected) <= TOLERANCES[dtype] * max(1.0, abs(expected)),
                "not_the_gradient",
                "Your score is not the gradient of the log density of the two atoms "
                f"(tested at noise levels up to {high:g}).",
            )
        judge.device()


EXERCISE = Exercise(
    "lab2.analytic_score",
    points=4,
    title="The score you can write down",
    names=("analytic_score",),
    probe=probe,
    public=check,
    version=2,
)
