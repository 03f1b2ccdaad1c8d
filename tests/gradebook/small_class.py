"""A class of two students in lab 4, graded by the command that instructors use."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import nbformat
import pytest

from autograder.cli import main
from autograder.course.labs import find_lab
from autograder.demo import CLASS, as_colab_saves
from utils.checks.exercise import load

LAB = find_lab("lab4")
ESSAY = next(entry for entry in load("lab4") if entry.name == "lab4.unet_essay")


def submit(folder: Path) -> None:
    """Write two submissions: ada solves everything, dia makes one known mistake.

    Their ids are those that `autograder collect` makes for Canvas.
    """
    for student, who in (("lovelaceada_101", "ada"), ("dia@uni.edu", "dia")):
        target = folder / student / LAB.name
        target.mkdir(parents=True)
        (target / f"{LAB.name}.ipynb").write_text(nbformat.v4.writes(as_colab_saves(CLASS[who](LAB))))


def autograder(*words: str, **environment: str) -> tuple[int, str]:
    """Run a command of the autograder, and return its exit code and all that it printed."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
        for name, value in environment.items():
            patch.setenv(name, value)
        return main(list(words)), printed.getvalue()


def grade(course: Path, scheduler: str | None, gradebook: str = "") -> str:
    """Grade the class of a course, and return what was printed.

    Args:
        course: The course's folder.
        scheduler: The address of a scheduler with a worker; None where there is no bubblewrap, to run unprotected.
        gradebook: The address of the gradebook, where it is on a server.
    """
    place = ["--scheduler", scheduler] if scheduler else ["--sandbox", "none", "--workers", "1"]
    command = ["grade", "lab4", "--course", str(course), "--no-feedback", *place]
    code, printed = autograder(*command, LAB_GRADEBOOK=gradebook)
    assert code == 0, printed
    return printed


def grade_manually(url: str) -> None:
    """Grade as a TA does in formgrader: ada's essay gets 1.5 of 2 and a comment, the other answer stays open."""
    from nbgrader.api import Gradebook

    with Gradebook(url, "guidance-labs") as book:
        found = book.find_grade("lab4_unet_essay", LAB.name, LAB.name, "lovelaceada_101")
        found.manual_score, found.needs_manual_grade = 1.5, False
        note = book.find_comment(ESSAY.answer_id, LAB.name, LAB.name, "lovelaceada_101")
        note.manual_comment = "Say where the skip *connections* go."
        ada = book.find_student("lovelaceada_101")
        ada.first_name, ada.last_name = "Ada", "Lovelace"
        book.db.commit()
