"""From file to grade, by the command and by its parts."""

import json
import subprocess
import sys

import nbformat
import pytest

from autograder import ROOT
from autograder.cli import main
from autograder.course.cells import role_of
from autograder.course.labs import find_lab, labs
from autograder.course.source import read_source
from autograder.intake.repair import repair
from autograder.judging.grade import judge_run, run_submission
from utils.checks.exercise import find, load

SECRET = b"a secret"


def grade(notebook, lab, sandbox):
    submission = repair(notebook, lab)
    return judge_run(submission, run_submission(submission, sandbox, SECRET), SECRET)


def test_the_solution_gets_all_automatic_points(lab, solved, sandbox):
    result = grade(solved, lab, sandbox)
    assert {name: v.findings for name, v in result.verdicts.items() if v.findings} == {}
    assert result.points == result.max_points == sum(e.points for e in load(lab.short) if not e.manual)
    assert result.problems == ()


def test_a_blank_submission_gets_nothing_and_is_told_so(lab, sandbox):
    result = grade(nbformat.read(lab.student, as_version=4), lab, sandbox)
    assert result.points == 0
    for verdict in result.verdicts.values():
        assert {finding.code for finding in verdict.findings} <= {"not_implemented"}, verdict
        assert verdict.findings


def test_an_answers_cell_that_stops_says_why(sandbox):
    lab = find_lab("lab4")
    notebook = read_source(lab)
    loss, drift = (
        next(c for c in notebook.cells if c.id == f"lab4_{n}_answer") for n in ("cfg_train_loss", "cfg_drift")
    )
    loss.source += "\ndef oops(:"
    drift.source = "# GRADED: lab4.cfg_drift\nraise ValueError('\\x1b[31mred\\n' + 'x' * 500)"
    graded = grade(notebook, lab, sandbox)
    first, second = graded.problems
    assert (
        first.startswith("The cell of lab4.cfg_train_loss stopped with SyntaxError: ") and "ipython-input" not in first
    )
    assert second.startswith("The cell of lab4.cfg_drift stopped with ValueError: red xxx")
    assert second.isprintable() and len(second) < 260
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    cause = graded.verdicts["lab4.cfg_train_loss"].findings[0].message
    assert "stopped with SyntaxError" in cause and cause.endswith(f"The grader runs Python {version}.")
    assert "stopped with ValueError" in graded.verdicts["lab4.cfg_drift"].findings[0].message


def test_a_missing_package_and_a_foreign_default_device(sandbox):
    """The first is named in the exercise's row. The second costs nothing."""
    lab = find_lab("lab4")
    notebook = read_source(lab)
    answer = next(c for c in notebook.cells if c.id == "lab4_cfg_drift_answer")
    answer.source = answer.source.replace("\n", "\nimport no_such_package\n", 1)
    first = next(i for i, c in enumerate(notebook.cells) if role_of(c) == "answer")
    own = "import torch\ntorch.set_default_device('cuda')\ntorch.set_default_dtype(torch.float64)"
    notebook.cells.insert(first, nbformat.v4.new_code_cell(own))
    graded = grade(notebook, lab, sandbox)
    message = graded.verdicts["lab4.cfg_drift"].findings[0].message
    assert "ModuleNotFoundError: No module named 'no_such_package'. The grader does not have this package" in message
    assert graded.points == graded.max_points - find("lab4.cfg_drift").points


def test_the_command_prints_the_promised_json(tmp_path, sandbox):
    lab = find_lab("lab4")
    command = [sys.executable, "-m", "autograder", "grade-one", str(lab.solution), "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=with_root())
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["lab"] == lab.name
    assert document["points"] == document["max_points"] > 0
    written = [row for row in document["exercises"].values() if row["manual"]]
    assert written and all(row["points"] is None for row in written)
    assert document["manual_max_points"] == sum(row["max_points"] for row in written)


@pytest.mark.parametrize(
    "content",
    ["", "not json", "{}", '{"cells": []}', '{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'],
)
def test_a_file_that_is_no_notebook_of_the_course_exits_with_2(tmp_path, content, capsys):
    path = tmp_path / "thing.ipynb"
    path.write_text(content)
    assert main(["grade-one", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Traceback" not in said


def test_an_error_of_our_own_is_not_taken_for_bad_input(monkeypatch, capsys):
    def broken(path, lab):
        raise KeyError("a bug")

    monkeypatch.setattr("autograder.intake.open_submission.open_submission", broken)
    assert main(["doctor", str(labs()[0].solution)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("This is a defect of the grader: KeyError: 'a bug'.") and "Traceback" not in said


def with_root():
    import os

    return os.environ | {"PYTHONPATH": str(ROOT)}


INVERTED = ("< self.eta", "> self.eta")
ATTACKS = {
    "allclose": (
        "import torch\n"
        "torch.allclose = torch.equal = lambda *a, **k: True\n"
        "torch.isclose = lambda a, *r, **k: torch.ones_like(a, dtype=torch.bool)"
    ),
    "asserts": (
        "import ast\n"
        "class NoAsserts(ast.NodeTransformer):\n"
        "    def visit_Assert(self, node):\n        return ast.Pass()\n"
        "get_ipython().ast_transformers.append(NoAsserts())"
    ),
    "forged output": (
        "import utils.checks\n"
        "from IPython.display import display\n"
        "def fake(name):\n    print('4.0')\n    return 4.0\n"
        "utils.checks.graded = fake"
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_on_assertions_gain_nothing(attack, sandbox):
    lab = find_lab("lab4")
    notebook = nbformat.read(lab.solution, as_version=4)
    answer = next(c for c in notebook.cells if c.get("id") == "lab4_cfg_train_loss_answer")
    assert INVERTED[0] in answer.source
    answer.source = answer.source.replace(*INVERTED)
    honest = grade(notebook, lab, sandbox)
    assert honest.verdicts["lab4.cfg_train_loss"].points == 0
    assert "eta_inverted" in [f.code for f in honest.verdicts["lab4.cfg_train_loss"].findings]
    first_answer = next(i for i, c in enumerate(notebook.cells) if role_of(c) == "answer")
    notebook.cells.insert(first_answer, nbformat.v4.new_code_cell(ATTACKS[attack]))
    assert grade(notebook, lab, sandbox).points <= honest.points
