"""`make demo`: the main job from end to end, on a small class that is harmless.

Release the labs, make submissions as Colab saves them, grade them, let nbgrader keep the scores, write the pages.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import ROOT
from autograder.course.cells import role_of
from autograder.course.labs import Lab, find_lab
from autograder.course.publish import release
from autograder.course.source import read_source
from autograder.exercises.kits import mutants
from autograder.running.bubblewrap import bubblewrap

DEMO = ROOT / "demo"
LAB = "lab4"
LOSS, DRIFT = "lab4.cfg_train_loss", "lab4.cfg_drift"


def perfect(lab: Lab) -> NotebookNode:
    """Everything right."""
    return read_source(lab)


def blank(lab: Lab) -> NotebookNode:
    """Handed in as it was given out."""
    return nbformat.read(lab.student, as_version=4)


def with_mutant(exercise: str, name: str) -> Callable[[Lab], NotebookNode]:
    """A perfect submission but for one known mistake."""

    def make(lab: Lab) -> NotebookNode:
        notebook = read_source(lab)
        mutant = next(m for m in mutants.load(lab.short) if (m.exercise, m.name) == (exercise, name))
        cell = next(c for c in notebook.cells if c.id == exercise.replace(".", "_") + "_answer")
        cell.source = f"# GRADED: {exercise}\n" + mutant.answer(cell.source)
        return notebook

    make.__doc__ = f"One known mistake in {exercise}, {name.replace('_', ' ')}"
    return make


def crashing(lab: Lab) -> NotebookNode:
    """All right, but a cell kills the process before anything is graded."""
    notebook = read_source(lab)
    first = next(i for i, cell in enumerate(notebook.cells) if role_of(cell) == "answer")
    notebook.cells.insert(
        first, nbformat.v4.new_code_cell("import os\n\nos._exit(1)  # what a crash of a library looks like")
    )
    return notebook


def damaged(lab: Lab) -> NotebookNode:
    """All right, but the cells were copied into a new notebook: metadata lost, one test gone."""
    notebook = read_source(lab)
    tests = [cell for cell in notebook.cells if role_of(cell) == "test"]
    notebook.cells.remove(tests[-1])
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


CLASS: dict[str, Callable[[Lab], NotebookNode]] = {
    "ada": perfect,
    "ben": blank,
    "chi": with_mutant(LOSS, "mask_inverted"),
    "dia": with_mutant(LOSS, "time_randn"),
    "eli": with_mutant(LOSS, "labels_in_place"),
    "fay": crashing,
    "gus": damaged,
    "hal": with_mutant(DRIFT, "swapped"),
}


def as_colab_saves(notebook: NotebookNode) -> NotebookNode:
    """Colab drops nbformat's cell ids and adds metadata of its own; it keeps the `nbgrader` entries."""
    notebook = nbformat.from_dict(notebook)
    notebook.nbformat_minor = 0
    notebook.metadata["colab"] = {"provenance": [], "toc_visible": True}
    notebook.metadata["accelerator"] = "GPU"
    for index, cell in enumerate(notebook.cells):
        cell.pop("id", None)
        cell.metadata["id"] = f"{index:012x}"
        if cell.cell_type == "code":
            cell.metadata["colab"] = {"base_uri": "https://localhost:8080/"}
            cell.outputs, cell.execution_count = [], None
    return notebook


def make_class(lab: Lab, folder: Path, students: dict[str, Callable[[Lab], NotebookNode]] = CLASS) -> None:
    """Write each student's submission in nbgrader's layout."""
    for student, make in students.items():
        target = folder / student / lab.name
        target.mkdir(parents=True)
        notebook = as_colab_saves(make(lab))
        (target / f"{lab.name}.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")


def demo() -> int:
    """Run the demonstration; its folder is made anew."""
    from autograder.cli import main

    lab = find_lab(LAB)
    print("1. The release\n")
    if release() != 0:
        return 1
    print("\n2. A class of eight, as Colab saves their notebooks\n")
    shutil.rmtree(DEMO, ignore_errors=True)
    make_class(lab, DEMO / "submitted")
    for student, make in CLASS.items():
        print(f"  {student}: {make.__doc__.rstrip('.')}")
    print("\n3. Grading\n")
    arguments = ["grade", lab.name, "--submissions", str(DEMO / "submitted"), "--course", str(DEMO)]
    if bubblewrap() is None:
        print(
            "bubblewrap is not installed: this harmless class runs unprotected. Before you grade real submissions, run `make sandbox`.",
            file=sys.stderr,
        )
        arguments += ["--sandbox", "none"]
    return main(arguments)
