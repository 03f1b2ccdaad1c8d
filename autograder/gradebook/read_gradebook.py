"""The results of a lab in the gradebook, one row for each student."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from autograder.course.labs import Lab
from autograder.errors import ExportError
from autograder.gradebook.nbgrader import has_gradebook, open_gradebook
from autograder.text import one_line
from utils.checks.exercise import load


@dataclass(frozen=True)
class GradebookRow:
    """One student's result.

    Attributes:
        student: The student's id.
        name: "Last, First", or the id if the gradebook has no name.
        email: The e-mail address, or "".
        scores: Points by exercise.
        penalty: Points deducted for lateness.
        max_points: The most points that the lab gives.
        open: The written exercises that have not been graded yet.
        changed: Whether the student submitted again after manual grading.
        comments: A grader's comments by exercise.
        extension: How much more time the student has; 0 for most.
    """

    student: str
    name: str
    email: str
    scores: Mapping[str, float]
    penalty: float
    max_points: float
    open: list[str] = field(default_factory=list)
    changed: bool = False
    comments: Mapping[str, str] = field(default_factory=dict)
    extension: timedelta = timedelta()

    @property
    def points(self) -> float:
        """The sum of the scores minus the penalty, at least 0."""
        return max(0.0, sum(self.scores.values()) - self.penalty)


def read_gradebook(lab: Lab, course: Path) -> list[GradebookRow]:
    """Return a row for each student who submitted a lab, sorted by id.

    Raises:
        ExportError: There is no gradebook, or it has no submission of this lab.
        GradebookError: The gradebook cannot be read.
    """
    if not has_gradebook(course):
        raise ExportError(f"there is no gradebook in {course}; grade first: autograder grade {lab.short}")
    with open_gradebook(course) as book:
        rows = [row_of(submission, lab) for submission in submissions_of(book, lab)]
    if not rows:
        raise ExportError(f"the gradebook has no submission of {lab.name}; grade first: autograder grade {lab.short}")
    return sorted(rows, key=lambda row: row.student)


def submissions_of(book: Any, lab: Lab) -> list[Any]:
    """Return nbgrader's records of the submissions of a lab; none if the gradebook does not know the lab."""
    from nbgrader.api import MissingEntry

    try:
        return list(book.find_assignment(lab.name).submissions)
    except MissingEntry:
        return []


def row_of(submission: Any, lab: Lab) -> GradebookRow:
    """Return the row of one of nbgrader's records."""
    names = {exercise.grade_id: exercise.name for exercise in load(lab.short)}
    answers = {exercise.answer_id: exercise.name for exercise in load(lab.short)}
    student = submission.student
    grades = [
        (names.get(grade.cell.name, grade.cell.name), grade)
        for notebook in submission.notebooks
        for grade in notebook.grades
    ]
    pending = [(name, grade.manual_score) for name, grade in grades if grade.needs_manual_grade]
    return GradebookRow(
        student=student.id,
        name=", ".join(one_line(part) for part in (student.last_name, student.first_name) if part) or student.id,
        email=one_line(student.email or ""),
        scores={name: float(grade.score) for name, grade in grades},
        penalty=float(submission.late_submission_penalty or 0.0),
        max_points=float(submission.max_score),
        open=[name for name, manual_score in pending if manual_score is None],
        changed=any(manual_score is not None for _, manual_score in pending),
        comments={
            answers[comment.cell.name]: comment.comment
            for notebook in submission.notebooks
            for comment in notebook.comments
            if comment.comment and comment.cell.name in answers
        },
        extension=submission.extension or timedelta(),
    )


def format_points(value: float) -> str:
    """Return points with at most two decimals: 1.5, and 18 for 18.0."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
