"""Keep manual grades when a notebook is graded again.

nbgrader marks every manual grade for another review whenever it grades the notebook again, even if nothing has changed.
Here only those grades stay marked whose notebook, or whose automatic score, differs from what the grader reviewed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from autograder.errors import GradebookError
from autograder.files import replace_file

GradeKey = tuple[str, str, str]  # student, grade_id, the automatic score and a hash of the notebook
PENDING = "manual_grades-{lab}.json"  # in the store: what an interrupted run did not restore


def save_reviewed(book: Any, lab: str, course: Path, store: Path) -> set[GradeKey]:
    """Return all manual grades that need no review, and save them so that an interrupted run can restore them.

    Args:
        book: The open gradebook.
        lab: The lab's name.
        course: The course's folder.
        store: The folder for the saved file.
    """
    reviewed = {key for key, grade in manual_grades(book, lab, course) if not grade.needs_manual_grade}
    pending = store / PENDING.format(lab=lab)
    reviewed |= saved_keys(pending)
    if reviewed:
        replace_file(pending, json.dumps(sorted(reviewed)))
    return reviewed


def saved_keys(pending: Path) -> set[GradeKey]:
    """Return what an interrupted run has saved.

    Raises:
        GradebookError: The file is damaged, so it is unknown which manual grades a person has reviewed.
    """
    if not pending.exists():
        return set()
    try:
        saved = json.loads(pending.read_text(encoding="utf-8"))
        return {(str(student), str(grade_id), str(state)) for student, grade_id, state in saved}
    except (OSError, ValueError, TypeError) as error:
        raise GradebookError(
            f"{pending} is damaged. It has the manual grades that an interrupted run did not restore. Remove it, grade "
            "again, and look in formgrader at the manual grades that are marked for another review"
        ) from error


def restore_reviewed(book: Any, lab: str, course: Path, store: Path, reviewed: set[GradeKey]) -> None:
    """Remove nbgrader's mark from each manual grade whose notebook and automatic score are as they were.

    If there was no notebook before, only the score is compared.

    Args:
        book: The open gradebook, after nbgrader has graded.
        lab: The lab's name.
        course: The course's folder.
        store: The folder of the saved file, which is deleted.
        reviewed: What `save_reviewed` returned.
    """
    for key, grade in manual_grades(book, lab, course):
        if key in reviewed or (*key[:2], f"{grade.auto_score} ") in reviewed:
            grade.needs_manual_grade = False
    book.db.commit()
    (store / PENDING.format(lab=lab)).unlink(missing_ok=True)


def manual_grades(book: Any, lab: str, course: Path) -> Iterator[tuple[GradeKey, Any]]:
    """Yield every grade that has a manual score, with its key."""
    from nbgrader.api import Assignment, Grade, SubmittedAssignment, SubmittedNotebook

    @cache
    def notebook_hash(student: str) -> str:
        path = course / "autograded" / student / lab / f"{lab}.ipynb"
        if not path.is_file():
            return ""
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return hashlib.sha256(json.dumps([cell["source"] for cell in cells]).encode()).hexdigest()

    rows = (
        book.db.query(Grade, SubmittedAssignment.student_id)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .filter(Assignment.name == lab, Grade.manual_score.isnot(None))
    )
    for grade, student in rows:
        yield (student, grade.cell.name, f"{grade.auto_score} {notebook_hash(student)}"), grade
