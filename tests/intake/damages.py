"""Damaged notebooks: what students, editors and LMS do to a lab by accident or on purpose."""

import copy
import json

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


# name -> (damage, points still earned, a word of the message about it)
DAMAGE = {
    "nothing": (lambda nb: None, FULL, None),
    "one answer deleted": (drop(LOSS + "_answer"), FULL - 4, "missing cell"),
    "one test deleted": (drop(LOSS), FULL, "missing cell"),
    "all tests deleted": (lambda nb: drop(*[c.id for c in nb.cells if role_of(c) == "test"])(nb), FULL, "missing cell"),
    "set-up deleted": (drop("setup"), FULL, "missing cell"),
    "set-up edited": (edit("setup", lambda c: c.update(source="1/0")), FULL, None),
    "definitions deleted": (
        lambda nb: drop(*[c.id for c in nb.cells if role_of(c) == "definitions"])(nb),
        FULL,
        "missing cell",
    ),
    "test edited": (edit(LOSS, lambda c: c.update(source="assert True")), FULL, "was changed"),
    "test emptied": (edit(LOSS, lambda c: c.update(source="")), FULL, "was changed"),
    "answer copied below": (twice(LOSS + "_answer"), FULL, "second copy"),
    "answer copied to the end": (twice(LOSS + "_answer", at_end=True), FULL, "second copy"),
    "answer begun in a copy at the end": (begun_below, FULL, "second copy"),
    "test copied": (twice(LOSS), FULL, "second copy"),
    "essay copied": (twice("lab4_guidance_essay"), FULL, "second copy"),
    "set-up copied": (twice("setup"), FULL, "second copy"),
    "essay deleted": (drop("lab4_guidance_essay"), FULL, "missing cell"),
    "essay turned into code": (retype("lab4_guidance_essay", "code"), FULL, "converted back"),
    "answer turned into markdown": (retype(LOSS + "_answer", "markdown"), FULL, "converted back"),
    "answer turned into raw": (retype(LOSS + "_answer", "raw"), FULL, "converted back"),
    "test turned into markdown": (retype(LOSS, "markdown"), FULL, "converted back"),
    "one cell's metadata lost": (edit(LOSS + "_answer", forget), FULL, "lost metadata"),
    "all metadata lost": (each(forget), FULL, "lost metadata"),
    "all metadata and ids lost": (lambda nb: (each(forget)(nb), forget_ids(nb)), FULL, "lost metadata"),
    "notebook metadata lost": (lambda nb: nb.update(metadata={}), FULL, None),
    "marker line deleted": (edit(LOSS + "_answer", lambda c: c.update(source=c.source.split("\n", 1)[1])), FULL, None),
    "metadata of two answers swapped": (wrong_metadata, FULL, None),
    "points raised to 1000": (set_nbgrader(LOSS, points=1000), FULL, None),
    "solution flag flipped": (set_nbgrader(LOSS + "_answer", solution=False, grade=True, points=99), FULL, None),
    "grade flag flipped": (set_nbgrader(LOSS, grade=False, solution=True), FULL, None),
    "grade_id is a number": (set_nbgrader(LOSS + "_answer", grade_id=7), FULL, None),
    "grade_id in look-alike letters": (
        set_nbgrader(LOSS + "_answer", grade_id="lаb4_cfg_train_loss_answer"),
        FULL,
        None,
    ),
    "nbgrader metadata is a list": (edit(LOSS + "_answer", lambda c: c.metadata.update(nbgrader=[1, 2])), FULL, None),
    "nbgrader metadata deeply nested": (
        set_nbgrader(LOSS + "_answer", more=json.loads("[" * 500 + "]" * 500)),
        FULL,
        None,
    ),
    "the same tag twice": (edit(LOSS + "_answer", lambda c: c.metadata.update(tags=["a", "a", "b,c"])), FULL, None),
    "a kind of cell that is a list": (
        lambda nb: nb.cells.insert(0, nbformat.NotebookNode(cell_type=["code"], source="x", metadata={}, id="list")),
        FULL,
        None,
    ),
    "old schema version": (set_nbgrader(LOSS + "_answer", schema_version=1), FULL, None),
    "unknown graded cell": (insert("# GRADED: lab4.no_such_exercise\n1"), FULL, None),
    "colab's shape": (colab, FULL, None),
    "ids lost": (forget_ids, FULL, None),
    "all ids equal": (same_ids, FULL, None),
    "windows line ends": (each(crlf), FULL, None),
    "stale outputs on stderr": (each(old_outputs), FULL, None),
    "syntax error in one answer": (
        edit(LOSS + "_answer", lambda c: c.update(source=c.source + "\ndef broken(:")),
        FULL - 4,
        "define",
    ),
    "exception in the student's own cell": (insert("raise ValueError('mine')", LOSS + "_answer"), FULL, None),
    "warnings on stderr": (
        insert("import warnings, sys\nwarnings.warn('w')\nprint('x', file=sys.stderr)", LOSS),
        FULL,
        None,
    ),
    "helper in another cell": (split_answer, FULL, None),
    "two answers in one cell": (merge_answers, FULL, None),
    "cells in reverse order": (reverse, FULL, "wrong place"),
    "a magic that does not exist": (insert("%no_such_magic"), FULL, None),
    "a shell command": (insert("!true"), FULL, None),
    "utils reloaded": (
        insert("import importlib, utils.checks\nimportlib.reload(utils.checks)", DRIFT + "_answer"),
        FULL,
        None,
    ),
    "utils thrown out": (
        insert("import sys\nfor name in [n for n in sys.modules if n.startswith('utils')]: del sys.modules[name]"),
        FULL,
        None,
    ),
    "an import that is missing": (insert("import no_such_module"), FULL, None),
    "top-level return": (insert("return 1"), FULL, None),
    "a thousand empty cells": (
        lambda nb: nb.cells.extend(nbformat.v4.new_code_cell("") for _ in range(1000)),
        FULL,
        None,
    ),
    "null bytes in a cell": (insert("x = '\x00'"), FULL, None),
    "lone surrogate": (insert("x = '\ud800'"), FULL, None),
}


# Files that are rejected with a reason.
V3 = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [], "metadata": {}}]}
REJECTED = {
    "empty": b"",
    "blank": b"  \n",
    "text": b"hello",
    "html": b"<html></html>",
    "truncated": b'{"cells": [',
    "a number": b"5",
    "a list": b"[]",
    "null": b"null",
    "no cells": b"{}",
    "cells are text": b'{"cells": "all of them"}',
    "cells are numbers": b'{"cells": [1, 2], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    "another course": json.dumps(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])).encode(),
    "empty notebook": json.dumps(nbformat.v4.new_notebook()).encode(),
    "old format without cells": json.dumps(V3).encode(),
    "utf-16": json.dumps(nbformat.v4.new_notebook()).encode("utf-16"),
    "latin-1": '{"cells": [], "x": "é"}'.encode("latin-1"),
    "binary": bytes(range(256)) * 10,
    "zip": b"PK\x03\x04" + b"\0" * 100,
    "deeply nested": b"[" * 100_000,
    "nested cells": b'{"cells": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "too many cells": json.dumps({"cells": [{"cell_type": "code", "source": ""}] * 5000}).encode(),
    "too much code": json.dumps(
        {"cells": [{"cell_type": "code", "source": "# GRADED: lab4.cfg_drift\n" + "#" * 2**22}]}
    ).encode(),
    "format of the future": b'{"cells": [], "metadata": {}, "nbformat": 99, "nbformat_minor": 0}',
}
