"""Open one submission: read it safely, find its lab, repair it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nbformat

from autograder.course.labs import Lab
from autograder.errors import NotANotebook
from autograder.intake.cell_matching import visible
from autograder.intake.notebook import open_notebook
from autograder.intake.repair import Submission, guess_lab, repair
from autograder.text import one_line

OTHER_LAB = " is a notebook of "  # part of the message about a notebook of another lab


def open_submission(path: Path, lab: Lab | None = None) -> Submission:
    """Read a notebook from a file that may hold anything, and repair it.

    Args:
        path: The file.
        lab: The lab that the notebook must belong to; if None, the notebook determines it.

    Raises:
        NotANotebook: The file is no notebook, or not of this course, or of another lab than `lab`.
    """
    notebook, notes = open_notebook(path)
    name = one_line(path.name)
    found = guess_lab(notebook)
    wanted = lab or found
    if wanted is None:
        raise NotANotebook(f"{name} is a notebook, but not of this course: none of its cells names an exercise")
    if found is not None and found != wanted:
        raise NotANotebook(f"{name}{OTHER_LAB}{found.name}, not of {wanted.name}")
    submission = repair(notebook, wanted)
    return replace(submission, repairs=(*notes, *submission.repairs))


def write_repaired(submission: Submission, place: Path) -> None:
    """Write a repaired notebook. A student may see this file, so hidden tests are left out."""
    for cell in submission.notebook.cells:
        if cell.cell_type == "code":
            cell.source = visible(cell.source).rstrip()
    place.write_text(nbformat.writes(submission.notebook), encoding="utf-8")
