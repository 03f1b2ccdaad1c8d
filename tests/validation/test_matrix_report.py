"""The kill matrix names every miss, on the terminal and on its page."""

import pytest

from autograder.course.labs import find_lab
from autograder.course.solved import answers_of
from autograder.exercises.kits.mutants import Mutant
from autograder.printing import print_matrix
from autograder.validation import kill_matrix as validate
from autograder.validation.kill_matrix import (
    Endless,
    MatrixRow,
    MatrixTask,
    limited,
    row_of,
)
from autograder.validation.report import write_page
from utils.checks.evidence import Evidence


def test_an_answer_without_end_is_stopped_and_a_broken_one_is_told(monkeypatch):
    with pytest.raises(Endless), limited(0.1), Evidence("lab").attempt("probe"):
        while True:
            pass
    monkeypatch.setattr(validate, "CPU_LIMIT", 0.2)
    lab = find_lab("lab4")
    name, source = next(iter(answers_of(lab).items()))
    endless = Mutant(name, "endless", False, source=source + "\nwhile True:\n    pass\n", kind="generic")
    assert row_of(MatrixTask(lab.short, endless, 1)).findings == {"does_not_run": 1}
    broken = Mutant(name, "broken", True, source="1 / 0")
    assert "ZeroDivisionError" in row_of(MatrixTask(lab.short, broken, 1)).misses[0]


def test_the_matrix_tells_what_is_missing(capsys, tmp_path):
    """A surviving change, a change listed without need, a sure refusal and a rare catch each stand out."""
    lab = find_lab("lab4")
    name, source = next(iter(answers_of(lab).items()))
    rows = [
        row_of(MatrixTask(lab.short, Mutant(name, "the answer itself", False, source=source, kind="generic"), 2)),
        row_of(MatrixTask(lab.short, Mutant(name, "empty", False, source="pass", kind="generic", equivalent="no"), 2)),
        row_of(MatrixTask(lab.short, Mutant(name, "nothing", True, source="pass"), 2)),
        row_of(MatrixTask(lab.short, Mutant(name, "not a mistake", False, ("wrong",), source=source), 2)),
        MatrixRow(name, "now and then", False, 8, good=6, caught=6),
    ]
    assert [row.ok for row in print_matrix(rows)] == [False] * 4 + [True]
    text = capsys.readouterr().out
    for words in (
        "survives",
        "listed as equivalent, but missing_name",
        "rejected: missing_name",
        "not caught",
        "75.0%",
    ):
        assert words in text
    write_page(tmp_path / "page.html", rows)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("✗ miss") == 4 and "http" not in page and "<script" not in page
