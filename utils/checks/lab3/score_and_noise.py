"""Exercise 3.2, a dictionary: `score_from_noise` and `noise_from_score`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.batches import BATCHES, draw_batch, draw_steps
from utils.checks.kits.copies import call_with_copies
from utils.checks.kits.projections import require_projection
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.schedules import made_up_schedule
from utils.checks.student import Student
from utils.diffusion import Schedule

FUNCTIONS = {
    # what comes out: the graded function, and the name of what goes in
    "score": ("score_from_noise", "noise_estimate"),
    "noise": ("noise_from_score", "score"),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of both functions in one run."""

    noise_estimate: Tensor  # (b, …)
    score: Tensor  # (b, …), unrelated to the noise estimate
    t: Tensor  # (b,) steps, integers
    schedule: Schedule

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `BATCHES`."""
        return cls(
            noise_estimate=draw_batch(challenge, run, "noise_estimate"),
            score=draw_batch(challenge, run, "score"),
            t=draw_steps(challenge, run),
            schedule=made_up_schedule(challenge, BATCHES[run].dtype),
        )

    def arguments(self, label: str) -> dict[str, object]:
        """Return the keyword arguments of the function that computes `score` or `noise`."""
        argument = FUNCTIONS[label][1]
        return {argument: getattr(self, argument), "t": self.t, "schedule": self.schedule}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call both functions on batches of several shapes."""
    for label, (function, argument) in FUNCTIONS.items():
        for run in BATCHES:
            with evidence.attempt(f"{run}_{label}"):
                student.function(function, argument, "t", "schedule")
                arguments = Inputs.of(challenge, run).arguments(label)
                call_with_copies(evidence, f"{run}_{label}", student[function], arguments)
    with evidence.attempt("device"):
        inputs = Inputs.of(challenge.on("meta"), "single")
        for label, (function, _) in FUNCTIONS.items():
            student[function](**inputs.arguments(label))


def require_result(judge: Judge, run: str, label: str) -> Tensor:
    """Return what a function computed in one run; fail unless it has the shape of the input."""
    return judge.tensor(f"{run}_{label}/value", BATCHES[run].shape, f"The result of `{FUNCTIONS[label][0]}`")


def check(judge: Judge) -> None:
    """Judge the public challenge by the projections below."""
    for label in FUNCTIONS:
        with judge.part(label, 0.5):
            for run in BATCHES:
                require_result(judge, run, label)
                require_unchanged(judge, f"{run}_{label}/inputs_kept")
            for run, batch in BATCHES.items():
                require_projection(
                    judge, f"{run}_{label}", require_result(judge, run, label), PROJECTIONS[label][run],
                    (f"wrong_{label}", MESSAGES[label].format(where=batch.where)),
                )  # fmt: skip
            if label == "score":
                judge.device()


MESSAGES = {
    "score": "Your result is not the score of the noise estimate (seen {where}). The score is the gradient of the log "
    "density of x_t given x_0. Derive it for that Gaussian, and check sign, size and the choice of sigma.",
    "noise": "Your `noise_from_score` does not return the noise that has this score (seen {where}). "
    "It is the inverse of a correct `score_from_noise`.",
}

# From the oracle in tests/exercises/lab3: automatic differentiation of a log density.
PROJECTIONS = {
    "score": {
        "images": -0.0588687,
        "points": 0.4212246,
        "square": -1.6682272,
        "one": 0.2129538,
        "single": -0.6926997,
        "strided": -0.0972440,
    },
    "noise": {
        "images": -0.0016237,
        "points": -0.1585989,
        "square": 0.0360636,
        "one": -0.0727504,
        "single": 0.0263805,
        "strided": 0.0057781,
    },
}

EXERCISE = Exercise(
    "lab3.score_and_noise",
    points=1,
    title="The score and the noise are the same thing",
    names=("score_from_noise", "noise_from_score"),
    probe=probe,
    public=check,
    version=2,
)
