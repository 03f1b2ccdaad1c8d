"""Count what a student has answered, by comparison with the blank that was released."""

from __future__ import annotations

import functools
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.course.cells import role_of
from autograder.course.labs import Lab
from autograder.intake.cell_matching import ANSWER_ROLES, grade_id_of, is_blank, text_of
from autograder.intake.repair import Submission


def count_answers(submission: Submission) -> int:
    """Return the number of answer cells that are neither empty nor as they were released."""
    blank = blank_answers(submission.lab, submission.release)
    return sum(role_of(cell) in ANSWER_ROLES and is_answered(cell, blank) for cell in submission.notebook.cells)


def is_answered(cell: NotebookNode, blank: dict[str, str]) -> bool:
    """Tell whether an answer cell was changed.

    Args:
        cell: The cell.
        blank: The released sources by grade_id; a cell that is not among them is compared with the usual stub.
    """
    if cell.get("attachments"):
        return True
    text, released = text_of(cell.source), blank.get(grade_id_of(cell) or "")
    return bool(text) and (not is_blank(cell) if released is None else text != released)


def blank_answers(lab: Lab, release: str) -> dict[str, str]:
    """Return the source of each answer cell as students got it; {} unless this is the present release."""
    if not lab.student.is_file():
        return {}
    found, answers = read_blank(lab.student)
    return answers if found == release else {}


@functools.lru_cache(maxsize=16)
def read_blank(path: Path) -> tuple[str, dict[str, str]]:
    """Return the release of a student notebook, and the sources of its answer cells by grade_id."""
    notebook = nbformat.read(path, as_version=4)
    answers = {
        grade_id: text_of(cell.source)
        for cell in notebook.cells
        if role_of(cell) in ANSWER_ROLES and (grade_id := grade_id_of(cell)) is not None
    }
    return str(notebook.metadata.get("guidance_labs", {}).get("release", "")), answers
