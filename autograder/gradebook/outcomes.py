"""Summarise what a student earned in each exercise, for readers outside the feedback page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder.course.cells import exercise_of, role_of
from autograder.course.labs import Lab
from autograder.gradebook.outputs import ALL_PASSED
from autograder.gradebook.read_gradebook import GradebookRow, format_points
from autograder.intake.cell_matching import left_empty
from utils.checks.exercise import Exercise, load


@dataclass(frozen=True)
class Outcome:
    """The result of one exercise: its points, and the findings and comments as text."""

    exercise: Exercise
    points: float
    text: str


def outcomes(lab: Lab, row: GradebookRow, course: Path) -> list[Outcome]:
    """Return the outcome of each exercise of a lab, with the same text as on the feedback page.

    Args:
        lab: The lab.
        row: The student's row of the gradebook.
        course: The course's folder, which has the graded notebooks.
    """
    findings = read_findings(course / "autograded" / row.student / lab.name / f"{lab.name}.ipynb")
    found = []
    for exercise in load(lab.short):
        text = findings.get(exercise.name, "")
        if exercise.manual:
            text = "Not graded yet." if exercise.name in row.open else text or "Graded manually."
        if comment := row.comments.get(exercise.name):
            text = f"{text}\n\nComment: {comment}".strip()
        found.append(Outcome(exercise, row.scores.get(exercise.name, 0.0), text))
    return found


def late_notice(row: GradebookRow) -> str:
    """Return a sentence about the late penalty, or "" if there is none."""
    return f"Submitted late: {format_points(row.penalty)} points were deducted." if row.penalty else ""


def read_findings(path: Path) -> dict[str, str]:
    """Return the grader's findings by exercise, from the notebook that nbgrader keeps; {} if none can be read."""
    try:
        cells = nbformat.read(path, as_version=4).cells
    except Exception:  # there is none, or it is damaged: nbformat raises anything then
        return {}
    found = {}
    for cell in cells:
        if cell.cell_type == "code" and role_of(cell) == "test":
            texts = [o.data.get("text/plain", "") for o in cell.outputs if o.output_type == "display_data"]
            findings = "\n".join(text.partition("\n")[2] for text in texts)  # the first line repeats the points
            found[exercise_of(cell) or ""] = findings or ALL_PASSED
        elif role_of(cell) == "written" and left_empty(cell):
            found[exercise_of(cell) or ""] = "No response."
    return found
