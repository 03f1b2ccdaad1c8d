"""`make demo` opens with the table of points, and says once if there was no sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder import demo
from autograder.course.publish import Release
from autograder.grading import GradedClass
from autograder.judging.class_run import ClassRun, StudentRun
from autograder.judging.grade import UNPROTECTED, Grade
from utils.checks.exercise import load
from utils.checks.judging import Verdict


@pytest.fixture
def played(tmp_path, monkeypatch):
    """Play the demo with grades that are there already; the class and the release are not made."""

    def grade_class(job, on_graded):
        verdicts = {e.name: Verdict(e.points, e.points, []) for e in load(demo.LAB) if not e.manual}
        grade = Grade(job.lab.name, "0" * 12, verdicts, {}, problems=() if job.execution.protected else (UNPROTECTED,))
        students = [StudentRun(name, Path(name), grade=grade) for name in demo.CLASS]
        class_run = ClassRun(job.lab, tmp_path, None, students)
        on_graded(class_run)
        return GradedClass(class_run)

    monkeypatch.setattr(demo, "DEMO", tmp_path / "demo")
    monkeypatch.setattr(demo, "make_class", lambda lab, folder: None)
    monkeypatch.setattr(demo, "release", lambda: Release(tmp_path, "https://example.org/labs"))
    monkeypatch.setattr(demo, "grade_class", grade_class)


def test_the_output_opens_with_the_table(played, monkeypatch, capsys):
    monkeypatch.setattr(demo, "bubblewrap", lambda: "/usr/bin/bwrap")
    assert demo.run_demo()
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.strip()]
    assert lines[0].strip() == "lab4_mnist_cfg: automatic points"
    rows = [line.split()[1] for line in lines if line.startswith("│ ")]
    assert [row for row in rows if row in demo.CLASS] == list(demo.CLASS)
    assert "unprotected" not in said and "ben: Submitted without a single answer" in said


def test_it_says_once_that_there_was_no_sandbox(played, monkeypatch, capsys):
    monkeypatch.setattr(demo, "bubblewrap", lambda: None)
    assert demo.run_demo()
    said = "".join(capsys.readouterr())
    assert said.count("unprotected") == 1 and "8 of 8 notebooks" in said and "make sandbox" in said
