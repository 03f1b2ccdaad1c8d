"""The results of a lab as the gradebook has them, one row a student."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from autograder.course.cells import exercise_of, role_of
from autograder.course.labs import Lab
from autograder.errors import ExportError
from autograder.gradebook.nbgrader import has_gradebook, open_gradebook
from autograder.intake.repair import left_empty
from utils.checks.exercise import Exercise, load

BY_HAND = "by hand"


@dataclass
class Row:
    """One student's result, as the gradebook has it."""

    student: str
    name: str  # last, first; or the student's id
    email: str
    scores: dict[str, float]  # exercise -> points
    penalty: float
    max_points: float
    open: list[str] = field(default_factory=list)  # written answers that nobody has graded
    changed: bool = False  # handed in anew since a person graded it
    comments: dict[str, str] = field(default_factory=dict)  # exercise -> what a person typed below the answer

    @property
    def points(self) -> float:
        return max(0.0, sum(self.scores.values()) - self.penalty)


def read_gradebook(lab: Lab, course: Path) -> list[Row]:
    """Every student who handed in.

    Raises:
        ExportError: there is no gradebook, or nothing of this lab in it.
        GradebookError: it cannot be read.
    """
    from nbgrader.api import MissingEntry

    if not has_gradebook(course):
        raise ExportError(f"there is no gradebook in {course}; grade first: autograder grade {lab.short}")
    names = {entry.grade_id: entry.name for entry in load(lab.short)}
    answers = {entry.answer_id: entry.name for entry in load(lab.short)}
    rows = []
    with open_gradebook(course) as book:
        try:
            submissions = book.find_assignment(lab.name).submissions
        except MissingEntry:
            submissions = []
        for submission in submissions:
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            comments = [comment for notebook in submission.notebooks for comment in notebook.comments]
            who = submission.student
            rows.append(
                Row(
                    student=who.id,
                    name=", ".join(part for part in (who.last_name, who.first_name) if part) or who.id,
                    email=who.email or "",
                    scores={names.get(g.cell.name, g.cell.name): float(g.score) for g in grades},
                    penalty=float(submission.late_submission_penalty or 0.0),
                    max_points=float(submission.max_score),
                    open=[
                        names.get(g.cell.name, g.cell.name)
                        for g in grades
                        if g.needs_manual_grade and g.manual_score is None
                    ],
                    changed=any(g.needs_manual_grade and g.manual_score is not None for g in grades),
                    comments={
                        answers[c.cell.name]: c.comment for c in comments if c.comment and c.cell.name in answers
                    },
                )
            )
    if not rows:
        raise ExportError(f"the gradebook has no submission of {lab.name}; grade first: autograder grade {lab.short}")
    return sorted(rows, key=lambda row: row.student)


def number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


# What a student hears


def outcomes(lab: Lab, row: Row, course: Path) -> Iterator[tuple[Exercise, float, str]]:
    """Of each exercise the points and what was said of it, as on the feedback page."""
    findings = read_findings(course / "autograded" / row.student / lab.name / f"{lab.name}.ipynb")
    for entry in load(lab.short):
        text = findings.get(entry.name, "")
        if entry.manual:
            text = "Not graded yet." if entry.name in row.open else text or f"Graded {BY_HAND}."
        if comment := row.comments.get(entry.name):
            text = f"{text}\n\nComment: {comment}".strip()
        yield entry, row.scores.get(entry.name, 0.0), text


def late_words(row: Row) -> str:
    return f"Handed in late: {number(row.penalty)} points less." if row.penalty else ""


def read_findings(path: Path) -> dict[str, str]:
    """Exercise -> what the grader said, from the notebook that nbgrader keeps."""
    if not path.is_file():
        return {}
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and role_of(cell) == "test":
            texts = [o.data.get("text/plain", "") for o in cell.outputs if o.output_type == "display_data"]
            said = "\n".join(text.partition("\n")[2] for text in texts)  # the first line repeats the points
            found[exercise_of(cell) or ""] = said or "All checks of the grader passed."
        elif role_of(cell) == "written" and left_empty(cell):
            found[exercise_of(cell) or ""] = "No response."
    return found
