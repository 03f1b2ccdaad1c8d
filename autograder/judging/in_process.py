"""Judge in the student's own process: for plain `nbgrader autograde` in a course without our configuration.

Unprotected: a hostile submission can give itself points here. The points come back as the value of the test cell, which
nbgrader takes as partial credit. `utils.checks.graded` finds this module through the entry point `guidance_labs.judge`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from autograder.judging.judge import judge
from utils.checks import describe
from utils.checks.challenge import Challenge
from utils.checks.exercise import Exercise, run_probe


def judge_in_process(entry: Exercise, namespace: Mapping[str, object]) -> float:
    """Run the probe of one exercise, judge it, and print the findings.

    Args:
        entry: the exercise.
        namespace: the names of the student's notebook.

    Returns:
        The points.
    """
    challenge = Challenge(entry.name, secrets.token_bytes(32))
    verdict = judge(entry, challenge, run_probe(entry, namespace, challenge))
    from IPython.display import clear_output

    clear_output()  # what the student's cell printed counts for nothing
    if verdict.findings:
        print(describe(entry, verdict))
    return float(verdict.points)
