"""Damaged notebooks: what students, editors and LMS do to a lab by accident or on purpose."""

import copy

import nbformat

from autograder.course.cells import role_of
from autograder.course.labs import find_lab
from autograder.course.source import read_source
from autograder.demo import as_colab_saves

LAB = find_lab("lab4")
LOSS, DRIFT = "lab4_cfg_train_loss", "lab4_cfg_drift"
FULL = 14.0  # automatic points of the lab


def solved():
    """Return the solved lab without the cells that grading skips, so that it is small."""
    notebook = read_source(LAB)
    notebook.cells = [c for c in notebook.cells if role_of(c) not in ("illustration", "")]
    return notebook


def cell(notebook, cell_id):
    """Return the cell with this id."""
    return next(c for c in notebook.cells if c.get("id") == cell_id)


def drop(*ids):
    """Return a damage that deletes these cells."""

    def damage(nb):
        nb.cells = [c for c in nb.cells if c.id not in ids]

    return damage


def edit(cell_id, change):
    """Return a damage that changes one cell."""

    def damage(nb):
        change(cell(nb, cell_id))

    return damage


def each(change):
    """Return a damage that changes every cell."""

    def damage(nb):
        for c in nb.cells:
            change(c)

    return damage


def insert(source, before=None, kind="code"):
    """Return a damage that inserts a cell, at the top or before another cell."""

    def damage(nb):
        at = 0 if before is None else next(i for i, c in enumerate(nb.cells) if c.id == before)
        make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        nb.cells.insert(at, make(source))

    return damage


def twice(cell_id, at_end=False):
    """Return a damage that copies a cell, to below it or to the end."""

    def damage(nb):
        index = next(i for i, c in enumerate(nb.cells) if c.id == cell_id)
        nb.cells.insert(len(nb.cells) if at_end else index + 1, copy.deepcopy(nb.cells[index]))

    return damage


def begun_below(nb):
    """Leave the lab's cell untouched, and put the work into a copy at the end."""
    c = cell(nb, DRIFT + "_answer")
    nb.cells.append(copy.deepcopy(c))
    c.source = "# GRADED: lab4.cfg_drift\nclass CFGVectorFieldODE(ODE):\n    raise NotImplementedError()"


def retype(cell_id, kind):
    """Return a damage that changes the type of a cell."""

    def damage(nb):
        c = cell(nb, cell_id)
        c.cell_type = kind
        for key in ("outputs", "execution_count"):
            c.pop(key, None)

    return damage


def reverse(nb):
    """Reverse the order of all cells."""
    nb.cells.reverse()


def merge_answers(nb):
    """Paste the answer to the drift into the cell of the loss, and delete its own cell."""
    one, two = cell(nb, LOSS + "_answer"), cell(nb, DRIFT + "_answer")
    one.source += "\n\n" + two.source.replace("# GRADED: lab4.cfg_drift\n", "")
    nb.cells.remove(two)


def split_answer(nb):
    """Move a helper to a cell of its own."""
    c = cell(nb, DRIFT + "_answer")
    index = nb.cells.index(c)
    nb.cells.insert(index, nbformat.v4.new_code_cell("import math as helper_module"))


def wrong_metadata(nb):
    """Swap the metadata of two answers."""
    a, b = cell(nb, LOSS + "_answer"), cell(nb, DRIFT + "_answer")
    a.metadata, b.metadata = b.metadata, a.metadata


def set_nbgrader(cell_id, **values):
    """Return a damage that sets nbgrader metadata of a cell."""

    def change(c):
        c.metadata["nbgrader"].update(values)

    return edit(cell_id, change)


def forget(c):
    """Delete the metadata of a cell."""
    c.metadata = {}


def forget_ids(nb):
    """Delete the ids of all cells, as notebooks before nbformat 4.5."""
    nb.nbformat_minor = 0
    for c in nb.cells:
        c.pop("id", None)


def colab(nb):
    """Save the notebook as Colab does."""
    made = as_colab_saves(nb)
    nb.cells, nb.nbformat_minor, nb.metadata = made.cells, made.nbformat_minor, made.metadata


def same_ids(nb):
    """Give all cells the same id."""
    for c in nb.cells:
        c.id = "same"


def crlf(c):
    """Write Windows line endings into a cell."""
    c.source = c.source.replace("\n", "\r\n")


def old_outputs(c):
    """Give a code cell outputs of an earlier run."""
    if c.cell_type == "code":
        c.outputs = [nbformat.v4.new_output("stream", name="stderr", text="old " * 1000)]


# A notebook of nbformat 3 without cells.
V3 = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [], "metadata": {}}]}
