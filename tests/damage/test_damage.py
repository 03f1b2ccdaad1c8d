"""Damaged submissions: each ends with the points still earned and a sentence, or with a clear refusal."""

import copy
import json
import time

import nbformat
import pytest

from autograder.course.cells import role_of
from autograder.course.labs import labs
from autograder.course.source import read_source
from autograder.errors import NotANotebook
from autograder.intake.repair import repair
from autograder.intake.submission import open_submission
from autograder.judging.grade import judge_run, run_submission

SECRET = b"a secret"
LAB = next(lab for lab in labs() if lab.short == "lab4")
LOSS, DRIFT = "lab4_cfg_train_loss", "lab4_cfg_drift"
FULL = 14.0


def solved():
    """The solved lab without what grading skips: small, so that damage is easy to see."""
    notebook = read_source(LAB)
    notebook.cells = [c for c in notebook.cells if role_of(c) not in ("illustration", "")]
    return notebook


def cell(notebook, cell_id):
    return next(c for c in notebook.cells if c.get("id") == cell_id)


def drop(*ids):
    def damage(nb):
        nb.cells = [c for c in nb.cells if c.id not in ids]

    return damage


def edit(cell_id, change):
    def damage(nb):
        change(cell(nb, cell_id))

    return damage


def each(change):
    def damage(nb):
        for c in nb.cells:
            change(c)

    return damage


def insert(source, before=None, kind="code"):
    def damage(nb):
        at = 0 if before is None else next(i for i, c in enumerate(nb.cells) if c.id == before)
        make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        nb.cells.insert(at, make(source))

    return damage


def twice(cell_id, at_end=False):
    def damage(nb):
        index = next(i for i, c in enumerate(nb.cells) if c.id == cell_id)
        nb.cells.insert(len(nb.cells) if at_end else index + 1, copy.deepcopy(nb.cells[index]))

    return damage


def begun_below(nb):
    """The cell of the lab untouched, the work in a copy at the end."""
    c = cell(nb, DRIFT + "_answer")
    nb.cells.append(copy.deepcopy(c))
    c.source = "# GRADED: lab4.cfg_drift\nclass CFGVectorFieldODE(ODE):\n    raise NotImplementedError()"


def retype(cell_id, kind):
    def damage(nb):
        c = cell(nb, cell_id)
        c.cell_type = kind
        for key in ("outputs", "execution_count"):
            c.pop(key, None)

    return damage


def reverse(nb):
    nb.cells.reverse()


def merge_answers(nb):
    """The drift's answer pasted into the loss's cell, its own cell deleted."""
    one, two = cell(nb, LOSS + "_answer"), cell(nb, DRIFT + "_answer")
    one.source += "\n\n" + two.source.replace("# GRADED: lab4.cfg_drift\n", "")
    nb.cells.remove(two)


def split_answer(nb):
    """A helper moved to a cell of its own."""
    c = cell(nb, DRIFT + "_answer")
    index = nb.cells.index(c)
    nb.cells.insert(index, nbformat.v4.new_code_cell("import math as helper_module"))


def wrong_metadata(nb):
    a, b = cell(nb, LOSS + "_answer"), cell(nb, DRIFT + "_answer")
    a.metadata, b.metadata = b.metadata, a.metadata


def set_nbgrader(cell_id, **values):
    def change(c):
        c.metadata["nbgrader"].update(values)

    return edit(cell_id, change)


def forget(c):
    c.metadata = {}


def forget_ids(nb):
    nb.nbformat_minor = 0
    for c in nb.cells:
        c.pop("id", None)


def colab(nb):
    from autograder.demo import as_colab_saves

    made = as_colab_saves(nb)
    nb.cells, nb.nbformat_minor, nb.metadata = made.cells, made.nbformat_minor, made.metadata


def same_ids(nb):
    for c in nb.cells:
        c.id = "same"


def crlf(c):
    c.source = c.source.replace("\n", "\r\n")


def old_outputs(c):
    if c.cell_type == "code":
        c.outputs = [nbformat.v4.new_output("stream", name="stderr", text="old " * 1000)]


# name -> (damage, points still earned, a word of the sentence that tells)
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
    "essay turned into code": (retype("lab4_guidance_essay", "code"), FULL, "turned back"),
    "answer turned into markdown": (retype(LOSS + "_answer", "markdown"), FULL, "turned back"),
    "answer turned into raw": (retype(LOSS + "_answer", "raw"), FULL, "turned back"),
    "test turned into markdown": (retype(LOSS, "markdown"), FULL, "turned back"),
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
    "exception in a cell of one's own": (insert("raise ValueError('mine')", LOSS + "_answer"), FULL, None),
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


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_costs_only_what_is_gone(name, sandbox, tmp_path):
    damage, points, word = DAMAGE[name]
    notebook = solved()
    damage(notebook)
    path = tmp_path / "submission.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    submission = open_submission(path, LAB)
    grade = judge_run(submission, run_submission(submission, sandbox, SECRET), SECRET)
    said = " ".join(
        [*grade.repairs, *grade.problems, *(f.message for v in grade.verdicts.values() for f in v.findings)]
    )
    assert grade.points == points, said
    assert grade.max_points == FULL
    assert word is None or word in said
    assert "needs_a_person" not in [f.code for v in grade.verdicts.values() for f in v.findings]


V3 = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [], "metadata": {}}]}
REFUSED = {
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
    "more cells than anybody writes": json.dumps({"cells": [{"cell_type": "code", "source": ""}] * 5000}).encode(),
    "more code than anybody writes": json.dumps(
        {"cells": [{"cell_type": "code", "source": "# GRADED: lab4.cfg_drift\n" + "#" * 2**22}]}
    ).encode(),
    "format of the future": b'{"cells": [], "metadata": {}, "nbformat": 99, "nbformat_minor": 0}',
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_notebook_is_refused_in_a_sentence(name, tmp_path):
    path = tmp_path / "submission.ipynb"
    path.write_bytes(REFUSED[name])
    with pytest.raises(NotANotebook) as refusal:
        open_submission(path)
    assert "submission.ipynb" in str(refusal.value) and "\n" not in str(refusal.value)


def test_missing_huge_and_foreign_files_are_refused(tmp_path):
    for path in (tmp_path / "none.ipynb", tmp_path):
        with pytest.raises(NotANotebook):
            open_submission(path)
    huge = tmp_path / "huge.ipynb"
    with huge.open("wb") as file:
        file.truncate(100 * 2**20)
    with pytest.raises(NotANotebook, match="MB"):
        open_submission(huge)


@pytest.mark.parametrize(
    "source",
    ["\n" * 300_000, " " * 300_000, "<!--" * 100_000, "# GRADED: " * 50_000, "check('" * 100_000],
    ids=["line ends", "spaces", "comments", "markers", "checks"],
)
def test_a_long_cell_is_read_in_a_moment(source, tmp_path):
    """Whatever looks at a source takes time in proportion to its length: a class waits for it."""
    notebook = solved()
    notebook.cells.insert(0, nbformat.v4.new_code_cell(source))
    notebook.cells.insert(1, nbformat.v4.new_code_cell("# GRADED: lab4.cfg_drift\n" + source))
    path = tmp_path / "long.ipynb"
    path.write_text(json.dumps(notebook))
    start = time.monotonic()
    open_submission(path, LAB)
    assert time.monotonic() - start < 10


def test_a_text_between_the_cells_moves_the_outputs(sandbox):
    """Outputs are stored by the place of their cell: the same code in other places is another run."""
    runs = []
    for texts in (0, 2):
        notebook = solved()
        notebook.cells.insert(1, nbformat.v4.new_code_cell("print('here')"))
        notebook.cells[:0] = [nbformat.v4.new_markdown_cell("text")] * texts
        submission = repair(notebook, LAB)
        runs.append(run_submission(submission, sandbox, SECRET))
        place = next(i for i, c in enumerate(submission.notebook.cells) if c.source == "print('here')")
        assert "here" in str(runs[-1].outputs[place])
    assert runs[0].submission_hash != runs[1].submission_hash


def test_a_notebook_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "bom.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(solved()).encode())
    assert open_submission(path).lab == LAB


def test_an_old_notebook_format_is_converted(tmp_path, sandbox):
    notebook = nbformat.convert(solved(), 3)
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps(notebook))
    submission = open_submission(path, LAB)
    assert judge_run(submission, run_submission(submission, sandbox, SECRET), SECRET).points == FULL
