"""A class with odd folders, as students, unzip and git leave them: no folder affects the grade of another student."""

import os
import subprocess
import sys

import nbformat
import pytest

from autograder import ROOT
from autograder.course.cells import role_of
from autograder.course.labs import find_lab
from autograder.course.source import read_source
from autograder.intake.find_collected import find_submissions
from autograder.judging.class_run import open_class

LAB = find_lab("lab4")
NOTEBOOK = f"{LAB.name}.ipynb"


def solved() -> str:
    """Return the solved lab without the cells that grading skips."""
    notebook = read_source(LAB)
    notebook.cells = [c for c in notebook.cells if role_of(c) not in ("illustration", "")]
    return nbformat.writes(notebook)


def stalling() -> str:
    """Return the solved lab with texts that stalled the feedback of a class."""
    notebook = nbformat.reads(solved(), as_version=4)
    for text in ("<!--" * 100_000, "[" * 40_000, "\\[" * 20_000, "\\begin{a}" * 3_000):
        notebook.cells.append(nbformat.v4.new_markdown_cell(text))
    return nbformat.writes(notebook)


def submit(folder, student, data: str | bytes = "", name=NOTEBOOK):
    """Write a submission in nbgrader's layout, and return its folder."""
    place = folder / student / LAB.name
    place.mkdir(parents=True)
    if data:
        (place / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return place


def grade(course):
    """Grade a course and return everything that was printed."""
    done = subprocess.run(
        [sys.executable, "-m", "autograder", "grade", "lab4", "--course", course, "--workers", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1800,  # against a hang, also on a busy machine
        env=os.environ | {"LAB_SECRET": "a secret of the tests", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.usefixtures("needs_bubblewrap")
def test_an_odd_folder_affects_no_other_student(tmp_path):
    submitted, text = tmp_path / "submitted", solved()
    (tmp_path / "private.txt").write_text("the instructor's")
    submit(submitted, "ada", text)
    os.mkfifo(submit(submitted, "bo") / NOTEBOOK)
    submit(submitted, "cy\nname", text)
    submit(submitted, os.fsdecode(b"d\xe9"), text)
    submit(submitted, "e[bold]", text)
    (submit(submitted, "fay") / NOTEBOOK).symlink_to(LAB.solution)
    (submitted / "gus").mkdir()
    (submitted / "gus" / LAB.name).symlink_to(submitted / "ada" / LAB.name)
    beside = submit(submitted, "hal", text)
    (beside / "read.txt").symlink_to(tmp_path / "private.txt")
    (beside / "page.html").write_text("<script>alert(1)</script>")
    os.mkfifo(beside / "pipe")
    (submit(submitted, "ivy", text) / "timestamp.txt").write_bytes(os.urandom(300))
    (submit(submitted, "jo", text) / "timestamp.txt").write_text("2026-11-30 21:14:00 UTC\n")
    submit(submitted, "kim", text.encode("utf-16"))
    submit(submitted, "lou", stalling())
    submit(submitted, "moe", '{"cells": [' + "{}," * 3_000_000 + "{}]}")
    said = grade(tmp_path)
    graded = {"ada", "cy_name", "d_", "e_bold_", "hal", "ivy", "jo", "kim", "lou"}
    assert "formatting it takes too long" in (tmp_path / "feedback" / "lou" / LAB.name / f"{LAB.name}.html").read_text()
    assert "moe" not in graded and f"{NOTEBOOK} has 6,000,003 items of JSON" in said
    for kind in ("autograded", "feedback"):
        assert {p.name for p in (tmp_path / kind).iterdir()} == graded
    assert "9 of 13 submissions graded" in said and "14 / 14" in said
    assert "failed" not in said
    assert "a link to a file that is not this student's" in said and "ivy: its timestamp.txt holds no time" in said
    sent_back = [p.name for kind in ("autograded", "feedback") for p in (tmp_path / kind).rglob("*") if p.is_file()]
    assert set(sent_back) == {NOTEBOOK, f"{LAB.name}.html", "timestamp.txt"}, sent_back
    assert sent_back.count("timestamp.txt") == 2  # jo's, in both
    assert not list(tmp_path.glob(".staged*"))


def test_two_students_of_one_id_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_SECRET", "a secret of the tests")
    for name in ("a b", "a_b", "c+d", "c d", "ok"):
        (tmp_path / f"{name}.ipynb").write_text(solved())
    assert set(find_submissions(tmp_path, LAB)) == {"a b", "a_b", "c d", "c+d", "ok"}
    problems = {entry.student: entry.problem for entry in open_class(LAB, tmp_path, tmp_path / "course").students}
    assert problems["a_b"] == problems["ok"] == ""
    assert "a b maps to the id a_b" in problems["a b"]
    assert "c d maps to the id c_d" in problems["c d"] and problems["c+d"]


def test_the_name_of_a_file_cannot_control_the_terminal(tmp_path, capsys):
    from autograder.cli import main

    path = tmp_path / "\x1b]0;owned\x07\x1b[31mred.ipynb"
    path.write_text("{")
    assert main(["grade-one", str(path)]) == 2
    said = capsys.readouterr().err
    assert "red.ipynb is not JSON" in said and "\x1b" not in said and "\x07" not in said
