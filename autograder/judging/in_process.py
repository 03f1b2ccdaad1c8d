"""The fallback face: plain `nbgrader autograde` of a course without our configuration judges in the student's process.

Unprotected: a hostile submission can win here. The points come back as the cell's value, nbgrader's partial credit.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from autograder.judging.judge import judge
from utils.checks import describe
from utils.checks.challenge import Challenge
from utils.checks.exercise import Exercise, run_probe


def judge_here(entry: Exercise, namespace: Mapping[str, object]) -> float:
    """Points of one exercise; what was found is printed."""
    challenge = Challenge(entry.name, secrets.token_bytes(32))
    verdict = judge(entry, challenge, run_probe(entry, namespace, challenge))
    from IPython.display import clear_output

    clear_output()  # nothing that the student's cell wrote counts
    if verdict.findings:
        print(describe(entry, verdict))
    return float(verdict.points)
