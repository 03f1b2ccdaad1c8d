"""The hidden verdicts, one module a lab: pure functions of a challenge and the evidence."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Finding, Judge, Verdict, judge_with

VERDICTS: dict[str, Callable[[Judge], None]] = {}


def verdict(name: str) -> Callable[[Callable[[Judge], None]], Callable[[Judge], None]]:
    """Register the hidden verdict of an exercise."""

    def register(function: Callable[[Judge], None]) -> Callable[[Judge], None]:
        VERDICTS[name] = function
        return function

    return register


def find_verdict(entry: Exercise) -> Callable[[Judge], None]:
    importlib.import_module(f"autograder.verdicts.{entry.lab}")
    return VERDICTS[entry.name]


def judge(entry: Exercise, challenge: Challenge, evidence: Evidence | None) -> Verdict:
    """The verdict on one exercise. No evidence is a finding, and a verdict that breaks asks for a person."""
    if evidence is None:
        message = "The grader has nothing from this exercise: its cells did not run to the end."
        return Verdict(0.0, entry.points, [Finding("no_evidence", message)])
    try:
        return judge_with(find_verdict(entry), challenge, evidence)
    except Exception as error:  # evidence comes from a student: whatever breaks here is looked at by a person
        message = (
            f"The grader could not judge this answer by itself ({type(error).__name__}). A person will look at it."
        )
        return Verdict(0.0, entry.points, [Finding("needs_a_person", message)])
