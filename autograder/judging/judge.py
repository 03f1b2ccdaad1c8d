"""Judge the evidence of one exercise."""

from __future__ import annotations

from autograder.exercises.registry import find_verdict
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Finding, Verdict, judge_with


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
