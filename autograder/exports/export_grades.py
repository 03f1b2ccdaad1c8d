"""Export grades and feedback from nbgrader's gradebook, with manual grades and late penalties."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.course.labs import Lab
from autograder.errors import ExportError
from autograder.exports.canvas import canvas_csv, filled_roster
from autograder.exports.feedback_zip import write_feedback
from autograder.exports.gradescope_results import results_of_row
from autograder.exports.gradescope_zip import write_autograder
from autograder.gradebook.read_gradebook import GradebookRow, read_gradebook
from autograder.gradebook.spreadsheets import plain_csv, write_private

# What can be exported, and the name of the file or folder in the course's `exports` after the lab's name.
NAMES = {
    "csv": "-grades.csv",
    "canvas": "-canvas.csv",
    "gradescope": "-gradescope",
    "gradescope-autograder": "-gradescope-autograder.zip",
    "feedback": "-feedback.zip",
}


@dataclass(frozen=True)
class ExportResult:
    """What was exported.

    Attributes:
        target: The file or folder that was written.
        students: The number of students in the gradebook; 0 for Gradescope's autograder, which has no students.
        waiting: The ids of students with written answers that have not been graded yet; these count as 0 points.
        changed: The ids of students who submitted again after manual grading; their manual points are old.
        unmatched: The ids of students who are not in the Canvas roster.
        left_out: One line for each student who gets no feedback.
    """

    target: Path
    students: int
    waiting: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


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
    """Export the grades or the feedback of a lab.

    Args:
        lab: The lab.
        course: The course's folder.
        to: What to write, one of `NAMES`.
        out: The file or folder to write; if None, one in the course's `exports`.
        roster: For "canvas": the gradebook that Canvas exported, to be filled in.
        archive: For "feedback": the zip that was collected.
        column: For "canvas": the assignment's name in Canvas; if None, the lab's name.
        sandbox: For "gradescope-autograder": "bwrap", or "none" to run notebooks unprotected.

    Raises:
        ExportError: The arguments do not fit together, or there is nothing to export.
        GradebookError: The gradebook cannot be read.
        BadArchive: The archive cannot be used.
    """
    require_consistent(to, roster, archive)
    course = course.resolve()
    target = out or course / "exports" / f"{lab.name}{NAMES[to]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    if to == "gradescope-autograder":
        write_autograder(lab, target, sandbox)
        return ExportResult(target, 0)
    rows = read_gradebook(lab, course)
    result = ExportResult(
        target,
        len(rows),
        waiting=tuple(row.student for row in rows if row.open),
        changed=tuple(row.student for row in rows if row.changed),
    )
    if to == "feedback":
        assert archive is not None  # require_consistent has checked it
        return replace(result, left_out=tuple(write_feedback(lab, rows, course, archive, target)))
    if to == "gradescope":
        write_gradescope(lab, rows, course, target)
    elif to == "csv":
        write_private(target, plain_csv(lab, rows))
    elif roster is None:
        write_private(target, canvas_csv(rows, column or lab.name))
    else:
        text, unmatched = filled_roster(roster, rows, column or lab.name)
        write_private(target, text)
        return replace(result, unmatched=tuple(unmatched))
    return result


def require_consistent(to: str, roster: Path | None, archive: Path | None) -> None:
    """Check that the optional arguments belong to what is exported.

    Raises:
        ExportError: They do not.
    """
    if to not in NAMES:
        raise ExportError(f"--to must be one of {', '.join(NAMES)}, not {to}")
    if roster is not None and to != "canvas":
        raise ExportError("--roster belongs to --to canvas")
    if archive is None and to == "feedback":
        raise ExportError("--to feedback needs --archive, the zip that was collected")
    if archive is not None and to != "feedback":
        raise ExportError("--archive belongs to --to feedback")


def write_gradescope(lab: Lab, rows: list[GradebookRow], course: Path, target: Path) -> None:
    """Write `target/STUDENT/results.json` for each student."""
    for row in rows:
        place = target / row.student / "results.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        document = results_of_row(lab, row, course)
        write_private(place, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
