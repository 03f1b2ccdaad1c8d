"""Small classes of lab 4: what is graded, without figures and training, each student with a remark of their own."""

import os
import subprocess
import sys

import nbformat
import pytest

from autograder import ROOT
from autograder.course.cells import role_of
from autograder.course.labs import find_lab
from autograder.course.source import read_source
from autograder.exercises.kits.mutants import load as load_mutants

SECRET = b"the scale tests' secret"
LOSS = "lab4.cfg_train_loss"
KEPT = ("setup", "definitions", "answer", "test")


@pytest.fixture(autouse=True)
def secret(monkeypatch, needs_bubblewrap):
    monkeypatch.setenv("LAB_SECRET", SECRET.decode())


@pytest.fixture(scope="session")
def lab4():
    return find_lab("lab4")


def make_class(folder, lab, students, remark=""):
    """`students` submissions in nbgrader's layout; every third has a known mistake."""
    mistake = next(m for m in load_mutants(lab.short) if (m.exercise, m.name) == (LOSS, "mask_inverted"))
    for number in range(students):
        notebook = read_source(lab)
        notebook.cells = [c for c in notebook.cells if role_of(c) in KEPT or c.cell_type == "markdown"]
        if number % 3 == 1:
            cell = next(c for c in notebook.cells if c.id == "lab4_cfg_train_loss_answer")
            cell.source = f"# GRADED: {LOSS}\n{mistake.answer(cell.source)}"
        notebook.cells.append(nbformat.v4.new_code_cell(f"# student {number}\n{remark}"))
        target = folder / "submitted" / f"student{number:02d}" / lab.name
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{lab.name}.ipynb")
    return folder


def command(*words, **environment):
    """`autograder …` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "autograder", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"LAB_SECRET": SECRET.decode(), "PYTHONPATH": str(ROOT)} | environment,
    )
