"""Open one submission: read it safely, find its lab, repair it."""

from __future__ import annotations

from pathlib import Path

import nbformat

from autograder.course.labs import Lab
from autograder.errors import NotANotebook
from autograder.intake.notebook import open_notebook
from autograder.intake.repair import Submission, guess_lab, repair, visible
from autograder.text import plain


def open_submission(path: Path, lab: Lab | None = None) -> Submission:
    """Read and repair.

    Raises:
        NotANotebook: not a notebook, or not of this course, or of another lab than `lab`.
    """
    notebook, notes = open_notebook(path)
    name = plain(path.name)
    seen = guess_lab(notebook)
    if seen is None and lab is None:
        raise NotANotebook(f"{name} is a notebook, but not of this course: no cell of it names an exercise")
    if lab is not None and seen is not None and seen != lab:
        raise NotANotebook(f"{name} is a notebook of {seen.name}, not of {lab.name}")
    submission = repair(notebook, lab or seen)
    submission.repairs[:0] = notes
    return submission


def write_repaired(submission: Submission, place: Path) -> None:
    """Write a repaired notebook. A student may see this file, so hidden tests are left out."""
    for cell in submission.notebook.cells:
        if cell.cell_type == "code":
            cell.source = visible(cell.source).rstrip()
    place.write_text(nbformat.writes(submission.notebook), encoding="utf-8")
