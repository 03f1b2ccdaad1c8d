"""Judge the evidence of one exercise."""

from __future__ import annotations

from autograder.exercises.find_verdict import find_verdict
from autograder.text import one_line
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.faults import fault_of
from utils.checks.judging import Finding, Verdict, judge_with

NO_EVIDENCE = "The grader has nothing from this exercise: its cells did not run to the end."
UNJUDGED = "The grader could not judge this answer by itself. A person will look at it."


def judge(entry: Exercise, challenge: Challenge, evidence: Evidence | None) -> Verdict:
    """Return the verdict on one exercise. It never raises.

    Args:
        entry: the exercise.
        challenge: the inputs that its probe used.
        evidence: what the probe recorded; None if nothing arrived.

    Returns:
        The verdict. If the verdict's own code fails, the student gets the finding `needs_a_person`, and `faults` has
        the error with its file and line for the instructor.
    """
    if evidence is None:
        return Verdict(0.0, entry.points, [Finding("no_evidence", NO_EVIDENCE)])
    try:
        verdict = judge_with(find_verdict(entry), challenge, evidence)
    except Exception as error:  # evidence comes from a student and can be anything
        verdict = Verdict(0.0, entry.points, [Finding("needs_a_person", UNJUDGED)], faults=[fault_of(error)])
    # What may quote the student stays on one line, or it could pass for the lines of another student in a table.
    verdict.faults = [one_line(fault) for fault in verdict.faults]
    verdict.findings = [Finding(one_line(finding.code), one_line(finding.message)) for finding in verdict.findings]
    return verdict
