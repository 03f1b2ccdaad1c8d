"""Exercise 1.4: the exact score of a class, the gradient of log p_t(x | y) with respect to x."""

from __future__ import annotations

from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.noised_words import RUNS, Inputs, probe_words
from utils.checks.kits.random_problems import WHERE
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import require_layout_ignored
from utils.checks.student import Student


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call `conditional_score` on noised words of random toy problems."""
    conditional_score = student.function("conditional_score", "x", "t", "y", "setting")
    probe_words(evidence, challenge, lambda inputs: conditional_score(inputs.x, inputs.t, inputs.y, inputs.setting))


def directions(challenge: Challenge, run: str) -> Tensor:
    """Return random directions in the shape of x, larger where the noise is larger, so that every time counts alike."""
    inputs = Inputs.of(challenge, run)
    return challenge.randn(f"{run} score probe", tuple(inputs.x.shape)) * inputs.t.double()


def require_finite_score(judge: Judge, run: str, inputs: Inputs) -> Tensor:
    """Return the score of a run, (b, sites, d); fail if it has another shape, NaN or infinity."""
    score = judge.tensor(f"{run}/value", inputs.x.shape, "The score", finite=False)
    judge.require(
        bool(score.isfinite().all()),
        "not_finite",
        f"Your score contains NaN or infinity (seen {WHERE[run]}). "
        "Probabilities may be exactly 0, and densities underflow: stay with logarithms and softmax.",
    )
    return score


def wrong_score(run: str) -> tuple[str, str]:
    """Return code and message for a score with wrong numbers."""
    return (
        "wrong_score",
        f"Your score is not the gradient of log p_t(x | y) with respect to x (seen {WHERE[run]}). "
        "Compare it with automatic differentiation of the log density.",
    )


def check(judge: Judge) -> None:
    """Check the requirements and the public numbers."""
    with judge.part("score", 2):
        for run in RUNS:
            require_finite_score(judge, run, Inputs.of(judge.challenge, run))
            require_unchanged(judge, f"{run}/inputs_kept")
        for run, number in PUBLIC_NUMBERS.items():
            actual = float((judge.tensor(f"{run}/value") * directions(judge.challenge, run)).mean())
            judge.require(abs(actual - number) < 1e-4 * max(1.0, abs(number)), *wrong_score(run))
        require_layout_ignored(judge, "letters")
        judge.device()


# The mean of the score times `directions` on the public challenge: the derivative of the log of a sum over all words.
# tests/exercises/lab1 computes the numbers again. `long` has too many words.
PUBLIC_NUMBERS = {
    "spins": 0.0120667,
    "letters": 0.0069176,
    "clear": 0.0451352,
    "far": -0.1126247,
    "impossible": -0.2353676,
    "late": 0.0305089,
    "one": -0.0286397,
    "single": 0.0565437,
}

EXERCISE = Exercise(
    "lab1.conditional_score",
    points=2,
    title="The exact score of a class",
    version=3,
    names=("conditional_score",),
    probe=probe,
    public=check,
)
