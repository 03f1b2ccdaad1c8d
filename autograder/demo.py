"""`make demo`: the whole way from release to report, on a small and harmless class.

It releases the labs, makes submissions as Colab saves them, grades them, lets nbgrader keep the scores, and writes
the pages.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import ROOT, printing
from autograder.course.cells import role_of
from autograder.course.labs import Lab, find_lab
from autograder.course.publish import release
from autograder.course.source import read_source
from autograder.exercises.kits import mutants
from autograder.grading import ClassJob, Execution, grade_class
from autograder.judging.class_run import ClassRun
from autograder.running.bubblewrap import bubblewrap

DEMO = ROOT / "demo"
LAB = "lab4"
LOSS, DRIFT = "lab4.cfg_train_loss", "lab4.cfg_drift"


def perfect(lab: Lab) -> NotebookNode:
    """All answers right."""
    return read_source(lab)


def blank(lab: Lab) -> NotebookNode:
    """Submitted without a single answer."""
    return nbformat.read(lab.student, as_version=4)


def with_mutant(exercise: str, name: str) -> Callable[[Lab], NotebookNode]:
    """Return a maker of submissions that are perfect except for one known mistake."""

    def make(lab: Lab) -> NotebookNode:
        notebook = read_source(lab)
        mutant = next(m for m in mutants.load(lab.short) if (m.exercise, m.name) == (exercise, name))
        cell = next(c for c in notebook.cells if c.id == exercise.replace(".", "_") + "_answer")
        cell.source = f"# GRADED: {exercise}\n" + mutant.answer(cell.source)
        return notebook

    make.__doc__ = f"One known mistake in {exercise}, {name.replace('_', ' ')}"
    return make


def crashing(lab: Lab) -> NotebookNode:
    """All answers right, but a cell kills the process before anything is graded."""
    notebook = read_source(lab)
    first = next(i for i, cell in enumerate(notebook.cells) if role_of(cell) == "answer")
    notebook.cells.insert(
        first, nbformat.v4.new_code_cell("import os\n\nos._exit(1)  # what a crash of a library looks like")
    )
    return notebook


def damaged(lab: Lab) -> NotebookNode:
    """All answers right, but the cells were copied into a new notebook, so metadata and one test are lost."""
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
    """Return a notebook as Colab saves it: no cell ids of nbformat, metadata of its own, and the `nbgrader` entries."""
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


def run_demo() -> bool:
    """Run the demonstration in a folder that is emptied first.

    Returns:
        Whether every submission was graded and every grade was stored.
    """
    lab = find_lab(LAB)
    print("Releasing the labs and grading a class of eight, which takes some minutes.", file=sys.stderr)
    released = release()
    shutil.rmtree(DEMO, ignore_errors=True)
    make_class(lab, DEMO / "submitted")
    # The class is harmless, so it is graded also where there is no sandbox; the table says so.
    job = ClassJob(lab, DEMO, execution=Execution(protected=bubblewrap() is not None))
    result = grade_class(job, on_graded=print_sample_class)
    printing.print_graded(result)
    print("\nWhat students get:")
    printing.print_released(released)
    return result.complete and result.graded > 0


def print_sample_class(class_run: ClassRun) -> None:
    """Print the table of points first, then what was submitted."""
    printing.print_class(class_run)
    print("\nWhat they submitted, as Colab saves it:")
    for student, make in CLASS.items():
        print(f"  {student}: {(make.__doc__ or '').rstrip('.')}")
