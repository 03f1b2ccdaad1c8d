"""Exercise 3.8, three variances: `what_guidance_samples`."""

from __future__ import annotations

from dataclasses import dataclass

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.student import Student

VARIANCES = ("tilt", "ode", "sde")  # as `what_guidance_samples` returns them


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run."""

    S: float  # the variance of all data
    s: float  # the variance of the class, less than S
    w: float  # the guidance scale

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS`."""
        fixed = RUNS[run]
        if fixed is not None:
            return fixed
        S = challenge.number(f"{run} S", 1.5, 6.0)
        s = S * challenge.number(f"{run} ratio", 0.2, 0.8)
        return cls(S, s, challenge.number(f"{run} w", 1.2, 6.0))


PLAIN, HONEST = Inputs(3.0, 0.5, 0.0), Inputs(3.0, 0.5, 1.0)
RUNS: dict[str, Inputs | None] = {
    # None is drawn
    "example": Inputs(4.0, 1.0, 3.0),
    "plain": PLAIN,
    "honest": HONEST,
    "drawn0": None,
    "drawn1": None,
    "drawn2": None,
    "weak": Inputs(3.0, 0.5, 0.3),
    "nearly_honest": Inputs(3.0, 0.5, 0.8),
    "close": Inputs(2.0, 1.9, 2.0),
    "whole": Inputs(5, 2, 4),  # integers
}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call the function with fixed and with drawn arguments."""
    what_guidance_samples = student.function("what_guidance_samples", "S", "s", "w")
    for run in RUNS:
        with evidence.attempt(run):
            inputs = Inputs.of(challenge, run)
            variances = what_guidance_samples(inputs.S, inputs.s, inputs.w)
            tilt, ode, sde = (None,) * 3 if variances is None else variances
            for label, value in zip(VARIANCES, (tilt, ode, sde)):
                evidence.put(f"{run}/{label}", value)


def require_variance(judge: Judge, run: str, label: str) -> float:
    """Return one of the three variances of a run; fail unless it is a finite number."""
    return judge.number(f"{run}/{label}", f"The variance called '{label}'")


def check(judge: Judge) -> None:
    """Judge the public challenge by w = 0, by w = 1, and by the example of the text."""
    with judge.part("variances", 1):
        for run, w, expected in (("plain", PLAIN.w, PLAIN.S), ("honest", HONEST.w, HONEST.s)):
            for label in VARIANCES:
                actual = require_variance(judge, run, label)
                judge.require(
                    abs(actual - expected) < 1e-6,
                    "wrong_at_the_ends",
                    f"At w = {w:g} all three variances are {expected:g}, but your '{label}' is {actual:.5g}.",
                )
        for run in RUNS:
            for label in VARIANCES:
                require_variance(judge, run, label)
        for label, (expected, source) in EXAMPLE.items():
            actual = require_variance(judge, "example", label)
            judge.require(
                abs(actual / expected - 1) < 0.03,
                f"wrong_{label}",
                f"For S = 4, s = 1, w = 3 {source} gives {expected:.3g} for '{label}', "
                f"and your formula gives {actual:.3g}.",
            )


EXAMPLE = {
    # variance: its value for S = 4, s = 1, w = 3, and where it comes from; the oracle in tests/exercises/lab3 agrees
    "tilt": (0.4, "numerical integration of the claimed density"),
    "ode": (0.0625, "a simulation without noise"),
    "sde": (0.2664, "a simulation with noise"),
}

EXERCISE = Exercise(
    "lab3.what_guidance_samples",
    points=1,
    title="What guidance samples",
    names=("what_guidance_samples",),
    probe=probe,
    public=check,
    version=2,
)
