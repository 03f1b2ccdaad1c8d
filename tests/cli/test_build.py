"""`autograder build`: what an author did wrong is a sentence with file and line, and fresh labs are skipped."""

from __future__ import annotations

import re

import nbformat
import pytest

from autograder.cli import main
from autograder.course import build, freshness
from autograder.course.cells import exercise_of
from autograder.course.labs import Lab, find_lab
from autograder.course.source import read_source
from autograder.intake.repair import match

TEXT = find_lab("lab4").source.read_text(encoding="utf-8")
ANSWER = '# %% answer="lab4.cfg_drift"'
CELL = TEXT[TEXT.index(ANSWER) : TEXT.index("# %%", TEXT.index(ANSWER) + 4)]


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Lab:
    """Lab 4, with source, notebooks and build folder in a temporary folder."""
    monkeypatch.setattr(Lab, "source", property(lambda lab: tmp_path / "lab.py"))
    monkeypatch.setattr(Lab, "student", property(lambda lab: tmp_path / "labs" / "lab.ipynb"))
    monkeypatch.setattr(freshness, "record_of", lambda lab: tmp_path / "build" / "lab.json")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr("autograder.printing.ROOT", tmp_path)
    (tmp_path / "lab.py").write_text(TEXT, encoding="utf-8")
    return find_lab("lab4")


def line_of(text: str) -> int:
    return TEXT[: TEXT.index(text)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('# %% role="setup"', '# %% foo="x"', "unknown cell option foo; there are role, answer, check, hidden, tags"),
        (ANSWER, ANSWER[:-1], 'Write key="value", with both quotes'),
        (ANSWER, '# %% answer="lab4.cfg_drif"', "there is no exercise 'lab4.cfg_drif'; there are lab4.vector_field"),
        ('# %% role="setup"', '# %% role="x"', "unknown role 'x'; there are setup, definitions, illustration"),
        (ANSWER, f'{ANSWER} hidden="Title"', "it cannot stand with answer, check or text"),
        (CELL, CELL.replace("### END SOLUTION", ""), "needs pairs of lines ### BEGIN SOLUTION and ### END SOLUTION"),
        (CELL, CELL.replace("### ", "## "), "needs pairs of lines ### BEGIN SOLUTION and ### END SOLUTION"),
    ],
    ids=["option", "quote", "exercise", "role", "hidden", "marker", "markers"],
)
def test_a_wrong_cell_is_named_with_file_and_line(old, new, words, lab, capsys):
    assert TEXT.count(old) == 1
    lab.source.write_text(TEXT.replace(old, new), encoding="utf-8")
    for command in (["build", "lab4"], ["build", "lab4", "--check"], ["validate", "lab4", "--no-sandbox"]):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"{lab.source}, line {line_of(old)}: ") and words in said and said.count("\n") == 1
    assert not lab.student.exists()


def test_a_second_answer_is_named_before_a_notebook_is_overwritten(lab, capsys):
    lab.source.write_text(TEXT.replace(CELL, CELL + CELL), encoding="utf-8")
    assert main(["build", "lab4"]) == 2
    said = capsys.readouterr().err
    assert f"line {line_of(ANSWER) + CELL.count(chr(10))}: a second cell" in said
    assert f"the first is in line {line_of(ANSWER)}" in said and not lab.solution.exists()


@pytest.mark.parametrize(("old", "what"), [(CELL, "model answer"), ('# %% check="lab4.cfg_drift"', "check")])
def test_a_missing_cell_is_named(old, what, lab, capsys):
    lab.source.write_text(TEXT.replace(old, "# %%\n" if what == "check" else ""), encoding="utf-8")
    assert main(["build", "lab4"]) == 2
    assert f"the {what} of lab4.cfg_drift is missing" in capsys.readouterr().err


def test_what_is_fresh_is_skipped(lab, monkeypatch, capsys):
    made = []

    def student_notebook(lab, instructor):
        made.append(lab.name)
        return nbformat.v4.new_notebook()

    monkeypatch.setattr(build, "student_notebook", student_notebook)

    def built(*words: str) -> tuple[int, int, bool]:
        before = len(made)
        code = main(["build", "lab4", *words])
        return code, len(made) - before, "fresh" in capsys.readouterr().out

    assert built("--check") == (1, 1, False) and not lab.student.exists()
    assert built() == (0, 1, False)
    assert built() == built("--check") == (0, 0, True)
    lab.student.write_text("changed by hand")
    assert built("--check") == (1, 1, False)
    assert built() == (0, 1, False)
    lab.source.write_text(TEXT.replace("# %% [markdown]", "# %% [markdown]\n# More words.\n#", 1), encoding="utf-8")
    assert built() == (0, 1, False)
    monkeypatch.setattr(freshness, "load", lambda lab: [])  # other points, say
    assert built() == (0, 1, True)
    monkeypatch.setattr(freshness, "version", lambda name: "another")
    assert built() == (0, 1, True)
    assert built() == (0, 0, True)


def test_a_digit_in_the_name_of_an_exercise_is_read_everywhere():
    cells = [
        nbformat.v4.new_code_cell("# GRADED: lab5.energy2\ndef energy2(x): ..."),
        nbformat.v4.new_code_cell("# TEST: lab5.energy2 (1 points)."),
        nbformat.v4.new_code_cell('check("lab5.energy2")'),
        nbformat.v4.new_markdown_cell("<!-- GRADED: lab5.energy2 -->"),
    ]
    assert [exercise_of(cell) for cell in cells] == ["lab5.energy2"] * 4


def test_repair_finds_an_answer_whose_exercise_has_a_digit_in_its_name(monkeypatch):
    import dataclasses

    from utils.checks.exercise import REGISTRY

    entry = dataclasses.replace(REGISTRY["lab4.cfg_drift"], name="lab4.drift2")
    monkeypatch.setitem(REGISTRY, entry.name, entry)
    cell = nbformat.v4.new_code_cell("# GRADED: lab4.drift2\nx = 1")
    assert match(cell, {"lab4_drift2_answer": cell}) == "lab4_drift2_answer"


def test_a_name_that_graders_do_not_find_is_rejected(lab, monkeypatch, capsys):
    import dataclasses

    from autograder.course import source

    real = source.load
    monkeypatch.setattr(
        source,
        "load",
        lambda lab: [dataclasses.replace(e, name=e.name.replace("cfg_drift", "Drift")) for e in real(lab)],
    )
    lab.source.write_text(TEXT.replace("lab4.cfg_drift", "lab4.Drift"), encoding="utf-8")
    assert main(["build", "lab4"]) == 2
    assert re.search("the name 'lab4.Drift' cannot be used: .* a-z, 0-9 and _", capsys.readouterr().err)


def test_lines_are_not_guessed(tmp_path):
    """A file whose cells cannot be told apart by their markers names no line."""
    from autograder.course.source import lines_of_cells

    assert lines_of_cells("# %% a\nx\n# %% b\n", 2) == [1, 3]
    assert lines_of_cells("x\n# %% a\n", 2) == [None, 2]
    assert lines_of_cells("# %% a\n", 5) == [None] * 5
    assert read_source(find_lab("lab4")).cells
