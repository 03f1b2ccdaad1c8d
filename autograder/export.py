"""Export grades out of nbgrader's gradebook, with manual scores and late penalties."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from autograder.course.labs import Lab
from autograder.errors import ExportError
from autograder.feedback.lms_zip import write_feedback
from autograder.gradebook.canvas import canvas_csv, filled_roster
from autograder.gradebook.gradescope import write_autograder
from autograder.gradebook.gradescope_results import gradescope_results
from autograder.gradebook.rows import Row, read_gradebook
from autograder.gradebook.spreadsheets import plain_csv, write

NAMES = {
    "csv": "grades.csv",
    "canvas": "canvas.csv",
    "gradescope": "gradescope",
    "gradescope-autograder": "gradescope-autograder.zip",
    "feedback": "feedback.zip",
}  # of what is written in COURSE/exports, after the lab's name


@dataclass
class ExportResult:
    """What was written, and which students need attention."""

    target: Path
    students: int = 0
    waiting: list[str] = field(default_factory=list)  # with written answers that no person has graded
    changed: list[str] = field(default_factory=list)  # whose notebook changed after a person graded it
    unmatched: list[str] = field(default_factory=list)  # not in the roster
    left_out: list[str] = field(default_factory=list)  # a sentence for each student without feedback


def export_grades(
    lab: Lab,
    course: Path,
    to: str,
    out: Path | None = None,
    roster: Path | None = None,
    archive: Path | None = None,
    column: str | None = None,
    sandbox: str = "bwrap",
) -> ExportResult:
    """Write grades, feedback or an autograder for an LMS.

    Args:
        to: `csv`, `canvas`, `gradescope`, `gradescope-autograder` or `feedback`.
        out: the file or folder to write; in the course's `exports` without one.
        roster: for Canvas, the gradebook that it exported, to be filled in.
        archive: for feedback, the zip that was collected.
        column: the assignment's name in Canvas; the lab's name without one.
        sandbox: for the Gradescope autograder, `bwrap` or `none`.

    Raises:
        ExportError: the options contradict each other, or there is nothing to export.
    """
    if roster and to != "canvas":
        raise ExportError("--roster belongs to --to canvas")
    if (archive is None) == (to == "feedback"):
        raise ExportError("--to feedback needs --archive, the zip that was collected; nothing else does")
    result = ExportResult(out or course / "exports" / f"{lab.name}-{NAMES[to]}")
    if to == "gradescope-autograder":
        result.target.parent.mkdir(parents=True, exist_ok=True)
        write_autograder(lab, result.target, sandbox)
        return result
    rows = read_gradebook(lab, course)
    result.target.parent.mkdir(parents=True, exist_ok=True)
    if archive is not None:
        result.left_out = write_feedback(lab, rows, course, archive, result.target)
    elif to == "gradescope":
        write_results(lab, rows, course, result.target)
    elif to == "csv":
        write(result.target, plain_csv(lab, rows))
    elif roster:
        text, result.unmatched = filled_roster(roster, rows, column or lab.name)
        write(result.target, text)
    else:
        write(result.target, canvas_csv(rows, column or lab.name))
    result.students = len(rows)
    result.waiting = [row.student for row in rows if row.open]
    result.changed = [row.student for row in rows if row.changed]
    return result


def write_results(lab: Lab, rows: list[Row], course: Path, target: Path) -> None:
    """Write a `results.json` for each student, as a Gradescope autograder does."""
    for row in rows:
        place = target / row.student / "results.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        write(place, json.dumps(gradescope_results(lab, row, course), indent=1, ensure_ascii=False) + "\n")
