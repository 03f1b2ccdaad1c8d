"""A plain feedback page, for a student whose notebook could not be turned into one: points and reasons as text."""

from __future__ import annotations

from pathlib import Path

from autograder.course.labs import Lab, title
from autograder.feedback.markup import fill
from autograder.gradebook.outcomes import late_notice, outcomes
from autograder.gradebook.read_gradebook import GradebookRow, format_points
from autograder.gradebook.spreadsheets import write_private


def write_plain_page(lab: Lab, row: GradebookRow, course: Path) -> Path:
    """Write a plain page in place of a student's feedback page, and return its path."""
    place = course / "feedback" / row.student / lab.name / f"{lab.name}.html"
    place.parent.mkdir(parents=True, exist_ok=True)
    write_private(place, plain_page(lab, row, course))
    return place


def plain_page(lab: Lab, row: GradebookRow, course: Path) -> str:
    """Return the page; everything on it is escaped text."""
    points = f"{format_points(row.points)} of {format_points(row.max_points)} points. {late_notice(row)}"
    found = [
        (f"{one.exercise.title}: {format_points(one.points)} of {format_points(one.exercise.points)}", one.text)
        for one in outcomes(lab, row, course)
    ]
    return fill("plain.html", student=row.student, lab=lab.name, title=title(lab), points=points, outcomes=found)
