"""Gradescope's `results.json`: one place that knows its format, for grades from the gradebook and from a single run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from autograder.course.labs import Lab
from autograder.gradebook.outcomes import Outcome, late_notice, outcomes
from autograder.gradebook.outputs import ALL_PASSED, finding_lines
from autograder.gradebook.read_gradebook import GradebookRow
from autograder.judging.grade import Grade
from utils.checks.exercise import load


def results(score: float, output: str, tests: Iterable[Outcome] = ()) -> dict:
    """Return the content of a `results.json`. Nothing that a student printed is shown.

    Args:
        score: The student's points.
        output: The text above the tests.
        tests: The exercises to list.
    """
    return {
        "score": score,
        "output": output,
        "stdout_visibility": "hidden",
        "tests": [
            {
                "name": f"{test.exercise.name}: {test.exercise.title}",
                "score": test.points,
                "max_score": test.exercise.points,
                "output": test.text,
                "visibility": "visible",
            }
            for test in tests
        ],
    }


def results_of_row(lab: Lab, row: GradebookRow, course: Path) -> dict:
    """Return the `results.json` of a student in the gradebook, with manual grades and comments."""
    return results(row.points, late_notice(row), outcomes(lab, row, course))


def results_of_grade(grade: Grade) -> dict:
    """Return the `results.json` of one graded notebook, with one test for each automatic exercise."""
    tests = [
        Outcome(exercise, verdict.points, "\n".join(finding_lines(verdict)) or ALL_PASSED)
        for exercise in load(grade.lab)
        if (verdict := grade.verdicts.get(exercise.name)) is not None
    ]
    lines = [*(f"Repaired: {line}." for line in grade.repairs), *grade.problems]
    if grade.manual:
        lines.append(f"Graded manually: {', '.join(grade.manual)}.")
    return results(grade.points, "\n".join(lines), tests)


def results_without_grade(reason: str) -> dict:
    """Return the `results.json` of a submission that could not be graded."""
    return results(0.0, f"Not graded: {reason}")
