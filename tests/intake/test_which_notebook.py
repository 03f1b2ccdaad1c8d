"""Which notebook counts if a student submits several, and under which names notebooks are taken."""

import json

import pytest

from autograder.exports.gradescope_run import find_notebook
from autograder.intake.collect import collect
from tests.intake.archives import LAB, answered, archive, marks, notebook, own_zip

NAME = f"{LAB.name}.ipynb"


def layouts(files):
    """Return the same files of one student, ada_1, as several LMS lay them out."""
    return {
        "a student's zip": {"ada_1_10_x.zip": own_zip(files)},
        "Canvas": {f"ada_1_{10 + i}_{name}": data for i, (name, data) in enumerate(files.items())},
        "Moodle": {f"ada_1_assignsubmission_file/{name}": data for name, data in files.items()},
        "a folder": {f"class/ada_1/{name}": data for name, data in files.items()}
        | {f"class/ben/{NAME}": notebook("ben")},
    }


@pytest.mark.parametrize("layout", layouts({}))
@pytest.mark.parametrize("solved_first", [True, False])
def test_the_notebook_with_answers_counts(tmp_path, layout, solved_first):
    pairs = [("lab4 (1).ipynb", answered("solved")), (NAME, notebook("blank"))]
    files = layouts(dict(pairs if solved_first else reversed(pairs)))[layout]
    result = collect(archive(tmp_path / "s.zip", files), tmp_path / "in", LAB)
    assert marks(tmp_path / "in")["ada_1"] == "solved"
    (reason,) = [line for line in result.skipped if NAME in line]
    assert "lab4 (1).ipynb' counts: it has 1 answer, this one has no answers" in reason and "attempt" not in reason


def test_gradescopes_own_run_chooses_in_the_same_way(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / NAME).write_bytes(notebook("blank"))
    (tmp_path / "submission" / "settings.json").write_text("{}")
    (tmp_path / "submission" / "lab4.ipynb.txt").write_bytes(answered("solved"))
    assert find_notebook(tmp_path / "submission", LAB, tmp_path / "scratch").name == "lab4.ipynb.txt"


SAME = answered("x")
REASONS = {
    "equal files": ({"a.ipynb": SAME, "b.ipynb": SAME}, "the files are equal", "x"),
    "a broken one": ({NAME: b"{", "b.ipynb": notebook("whole")}, "this one cannot be read", "whole"),
    "the lab's name": (
        {NAME: answered("x"), "b.ipynb": answered("y")},
        "both have 1 answer, and it has the lab's",
        "x",
    ),
    "the order": (
        {"a.ipynb": answered("x"), "b.ipynb": answered("y")},
        "1 answer, and it comes later in the archive",
        "y",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_the_reason_is_true(tmp_path, case):
    files, reason, mark = REASONS[case]
    result = collect(archive(tmp_path / "s.zip", {"ada_1_10_x.zip": own_zip(files)}), tmp_path / "in", LAB)
    assert marks(tmp_path / "in") == {"ada_1": mark} and reason in result.skipped[0]


def test_a_later_attempt_counts_also_if_it_is_blank_and_both_are_named(tmp_path):
    files = {
        "1-2 - Ada - Nov 29, 2026 914 AM/lab4.ipynb": answered("solved"),
        "1-2 - Ada - Nov 30, 2026 914 AM/lab4.ipynb": notebook("blank"),
    }
    result = collect(archive(tmp_path / "s.zip", files), tmp_path / "in")
    assert marks(tmp_path / "in") == {"Ada_1": "blank"}
    assert (
        "Ada_1 submitted a later attempt, 'lab4.ipynb', with no answers instead of 1 answer: look at both"
        in (result.skipped[0])
    )


TAKEN = ["lab4.ipynb.txt", "lab4.ipynb.json", "lab4.json", "lab4.IPYNB.TXT", "lab4.ipynb (1).txt", "lab4.ipynb-1.txt"]


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_notebook_with_an_added_ending_is_taken(tmp_path, name, zipped):
    files = {"ada_1_2_x.zip": own_zip({name: notebook("ada")})} if zipped else {f"ada_1_2_{name}": notebook("ada")}
    result = collect(archive(tmp_path / "s.zip", files), tmp_path / "in")
    assert marks(tmp_path / "in") == {"ada_1": "ada"} and not result.skipped


def test_a_json_that_is_no_notebook_is_not_taken(tmp_path):
    other = json.dumps({"cells": 3}).encode()
    files = {"ada_1_2_x.zip": own_zip({NAME: notebook("ada"), "package.json": other}), "ben_2_3_x.json": other}
    result = collect(archive(tmp_path / "s.zip", files), tmp_path / "in", LAB)
    assert marks(tmp_path / "in") == {"ada_1": "ada"}
    assert result.skipped == ("ben_2: ben_2_3_x.json: it is JSON, but not a notebook",)
