"""`utils` finds a judge through an entry point, and never imports the grader by name."""

import ast

import pytest

import utils.checks
from autograder import ROOT
from autograder.judging.in_process import judge_in_process


def test_a_checkout_finds_its_judge():
    assert utils.checks.find_judge() is judge_in_process


def test_without_a_judge_a_test_cell_fails(monkeypatch):
    monkeypatch.setattr(utils.checks, "entry_points", lambda group: [])
    monkeypatch.setattr(utils.checks, "checkout_entry_points", lambda: [])
    with pytest.raises(RuntimeError, match="grading needs the package `autograder`"):
        utils.checks.find_judge()


def test_utils_does_not_import_the_grader():
    for path in (ROOT / "utils").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "autograder"], path
