"""Reading a notebook is bounded: no file can fill or stall the grader, and the class goes on."""

from __future__ import annotations

import json
import resource
import shutil

import pytest

from autograder.bounded import Bounds
from autograder.course.labs import find_lab
from autograder.errors import NotANotebook
from autograder.intake import bounded_reading as readers
from autograder.intake.bounded_reading import Reader
from autograder.intake.notebook import MAX_ITEMS, require_bounded
from autograder.intake.open_submission import open_submission
from autograder.judging.class_run import open_class
from tests.intake.damages import solved

LAB = find_lab("lab4")
OBJECTS = '{"cells": [' + "{}," * 13_000_000 + "{}]}"


def grown_mb():
    """Return the largest size that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_what_comes_from_the_child_is_what_reading_here_gives(tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(solved()))
    with Reader() as reader:
        assert reader.submission(path, LAB) == open_submission(path, LAB)
        assert reader.lab_and_answers(path, None)[0] == LAB
        with pytest.raises(NotANotebook, match="of lab4_mnist_cfg, not of"):
            reader.submission(path, find_lab("lab3"))
        with pytest.raises(NotANotebook, match="not a file"):
            reader.tidy(tmp_path / "none.ipynb")


def test_a_notebook_of_empty_objects_is_not_opened(tmp_path):
    """It took 1 GB in the grader's own process."""
    path = tmp_path / "objects.ipynb"
    path.write_text(OBJECTS)
    before = grown_mb()
    with Reader() as reader, pytest.raises(NotANotebook, match=f"the limit is {MAX_ITEMS:,}.*clear its outputs"):
        reader.submission(path, LAB)
    assert grown_mb() - before < 200


def test_commas_in_strings_are_no_items():
    require_bounded(json.dumps({"cells": [], "text": ",[{" * MAX_ITEMS + '"\\'}), "a plot")
    with pytest.raises(NotANotebook):
        require_bounded(json.dumps({"cells": [1] * (MAX_ITEMS + 1)}), "a list")


@pytest.mark.parametrize("how", ["time", "memory", "error"])
def test_a_notebook_that_breaks_reading_costs_nobody_else_anything(how, tmp_path, monkeypatch):
    """Whatever the child does with the second of three files, the first and the third are read."""
    for name in ("ada", "eve", "zoe"):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(solved()))
    read = readers.read_in_child

    def hostile(path, lab, what):
        if "eve" in path:
            while how == "time":
                pass
            if how == "memory":
                bytearray(2**33)
            raise ValueError("unexpected\nada 14 / 14")
        return read(path, lab, what)

    monkeypatch.setattr(readers, "read_in_child", hostile)
    monkeypatch.setattr(readers, "READING", Bounds(cpu_s=2.0))
    problems = {entry.student: entry.problem for entry in open_class(LAB, tmp_path, tmp_path / "course").students}
    shutil.rmtree(tmp_path / "course")
    assert problems["ada"] == problems["zoe"] == ""
    words = {"time": "2 s of computing time", "memory": "MB of memory", "error": "ValueError: unexpected ada 14 / 14"}
    assert problems["eve"].startswith("eve.ipynb could not be read") and words[how] in problems["eve"]
    assert "\n" not in problems["eve"]
