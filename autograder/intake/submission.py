"""Open one submission: read it safely, find its lab, repair it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from autograder.course.labs import Lab
from autograder.errors import NotANotebook
from autograder.intake.notebook import open_notebook
from autograder.intake.repair import Submission, guess_lab, repair
from autograder.text import strip_control_characters


def open_submission(path: Path, lab: Lab | None = None) -> Submission:
    """Read and repair.

    Raises:
        NotANotebook: not a notebook, or not of this course, or of another lab than `lab`.
    """
    notebook, notes = open_notebook(path)
    name = strip_control_characters(path.name)
    seen = guess_lab(notebook)
    if seen is None and lab is None:
        raise NotANotebook(f"{name} is a notebook, but not of this course: no cell of it names an exercise")
    if lab is not None and seen is not None and seen != lab:
        raise NotANotebook(f"{name} is a notebook of {seen.name}, not of {lab.name}")
    submission = repair(notebook, lab or seen)
    return replace(submission, repairs=(*notes, *submission.repairs))
