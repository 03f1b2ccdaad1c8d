"""A class of two students in lab 4, graded by the command that instructors use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat

from autograder import ROOT
from autograder.course.labs import find_lab
from autograder.demo import CLASS, as_colab_saves
from autograder.running.bubblewrap import bubblewrap
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


def autograder(*words: str, **environment: str) -> subprocess.CompletedProcess:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "autograder", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=1800,  # against a hang, also on a busy machine
    )


def grade(course: Path, **environment: str) -> subprocess.CompletedProcess:
    """Grade the class of a course; without bubblewrap it runs unprotected."""
    command = ["grade", "lab4", "--course", str(course), "--workers", "2", "--no-feedback"]
    done = autograder(*command, *(["--sandbox", "none"] if bubblewrap() is None else []), **environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done


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
