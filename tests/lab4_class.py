"""Small classes of lab 4: what is graded, without figures and training, each student with a remark of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat

from autograder import ROOT
from autograder.course.cells import role_of
from autograder.course.labs import find_lab
from autograder.course.source import read_source
from autograder.exercises.kits.mutants import load as load_mutants
from autograder.gradebook.record_grades import record_grades
from autograder.judging.class_run import judge_class, open_class, run_class

LAB = find_lab("lab4")
LOSS = "lab4.cfg_train_loss"
KEPT = ("setup", "definitions", "answer", "test")


def make_class(folder: Path, students: int, remark: str = "") -> Path:
    """Write submissions in nbgrader's layout; every third has a known mistake.

    Args:
        folder: of the course.
        students: the number of submissions.
        remark: a line for each notebook, so that it differs from those of another class.

    Returns:
        The folder.
    """
    mistake = next(m for m in load_mutants(LAB.short) if (m.exercise, m.name) == (LOSS, "mask_inverted"))
    for number in range(students):
        notebook = read_source(LAB)
        notebook.cells = [c for c in notebook.cells if role_of(c) in KEPT or c.cell_type == "markdown"]
        if number % 3 == 1:
            cell = next(c for c in notebook.cells if c.id == "lab4_cfg_train_loss_answer")
            cell.source = f"# GRADED: {LOSS}\n{mistake.answer(cell.source)}"
        notebook.cells.append(nbformat.v4.new_code_cell(f"# student {number}\n{remark}"))
        target = folder / "submitted" / f"student{number:02d}" / LAB.name
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{LAB.name}.ipynb")
    return folder


def grade_class(folder: Path, scheduler: str) -> Path:
    """Grade three students, and one whose file is no notebook. Return the course's folder.

    Args:
        folder: The course's folder.
        scheduler: The address of a scheduler with a worker.
    """
    make_class(folder, 3)
    (folder / "submitted" / "zoe" / LAB.name).mkdir(parents=True)
    (folder / "submitted" / "zoe" / LAB.name / "zoe.ipynb").write_text("not a notebook")
    class_run = open_class(LAB, folder / "submitted", folder)
    run_class(class_run, protected=True, scheduler=scheduler)
    judge_class(class_run)
    recorded = record_grades(class_run, protected=True)
    assert recorded.complete and not recorded.problems
    return folder


def start_autograder(*words: object) -> subprocess.Popen:
    """Start `autograder …` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "autograder", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
