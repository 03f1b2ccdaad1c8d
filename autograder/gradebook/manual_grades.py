"""What a person has graded stays graded.

nbgrader marks every score by hand for a second look whenever it grades the notebook again, also where nothing has
changed. Here only those are marked whose notebook, or whose automatic score, is another than the one that was looked at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from autograder.files import replace_file

Looked = set[tuple[str, str, str]]  # student, cell, what was to be seen
PENDING = "by_hand-{lab}.json"  # in the store: what a killed run could not put back


def remember(book: Any, lab: str, course: Path, store: Path) -> Looked:
    """Everything that was graded by hand and waits for nobody; kept in a file until `put_back`, for a kill between."""
    looked = {key for key, grade in by_hand(book, lab, course) if not grade.needs_manual_grade}
    pending = store / PENDING.format(lab=lab)
    if pending.exists():
        looked |= {tuple(key) for key in json.loads(pending.read_text(encoding="utf-8"))}
    if looked:
        replace_file(pending, json.dumps(sorted(looked)))
    return looked


def put_back(book: Any, lab: str, course: Path, store: Path, looked: Looked) -> None:
    """After nbgrader: what looks as it did needs no second look. Where no notebook was there before, the score decides."""
    for key, grade in by_hand(book, lab, course):
        if key in looked or (*key[:2], f"{grade.auto_score} ") in looked:
            grade.needs_manual_grade = False
    book.db.commit()
    (store / PENDING.format(lab=lab)).unlink(missing_ok=True)


def by_hand(book: Any, lab: str, course: Path) -> Iterator[tuple[tuple[str, str, str], Any]]:
    """Every grade that has a score by hand, and its key."""
    from nbgrader.api import Assignment, Grade, SubmittedAssignment, SubmittedNotebook

    @cache
    def sources(student: str) -> str:
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
        yield (student, grade.cell.name, f"{grade.auto_score} {sources(student)}"), grade
