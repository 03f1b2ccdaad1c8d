"""What is reported if nbgrader fails."""

from __future__ import annotations

import os
from types import SimpleNamespace

import nbformat
import pytest

from autograder.course.labs import find_lab
from autograder.course.source import read_source
from autograder.errors import GradebookError
from autograder.gradebook import nbgrader
from autograder.gradebook.record import record_grades
from autograder.judging.class_run import ClassRun, StudentRun

LAB = find_lab("lab4")


def test_a_page_that_could_not_be_written_is_named(tmp_path, monkeypatch):
    """The scores are recorded, a page is missing, and the instructor is told whose."""
    store = SimpleNamespace(folder=tmp_path / "store")
    class_run = ClassRun(LAB, tmp_path, store, [StudentRun("ada", tmp_path / "a.ipynb", grade=object())])
    nbformat.write(read_source(LAB), tmp_path / "a.ipynb")
    (tmp_path / "autograded" / "ada" / LAB.name).mkdir(parents=True)

    def failed(command, **_):
        if "autograde" in command:
            (tmp_path / "autograded" / "ada" / LAB.name / "it.ipynb").touch()
        return SimpleNamespace(returncode="generate_feedback" in command, stderr="", stdout="")

    monkeypatch.setattr(nbgrader.subprocess, "run", failed)
    told = ["ada: nbgrader generate_feedback failed; there is no feedback page"]
    assert record_grades(class_run, True) == (told, True)
    monkeypatch.setattr(
        nbgrader.subprocess,
        "run",
        lambda command, **_: SimpleNamespace(returncode=1, stderr="Cannot add or remove cells"),
    )
    os.utime(tmp_path / "autograded" / "ada" / LAB.name / "it.ipynb", (0, 0))
    problems, whole = record_grades(class_run, True)
    assert not whole and any("scores in the gradebook" in line for line in problems), (
        "a notebook of an earlier run does not count"
    )
    monkeypatch.setattr(
        nbgrader.subprocess, "run", lambda command, **_: SimpleNamespace(returncode=1, stderr="x\ndatabase is locked")
    )
    with pytest.raises(GradebookError, match="no grade was written: database is locked"):
        record_grades(class_run, True)
