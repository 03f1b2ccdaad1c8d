"""Budgets, seeds, and the line that every lab prints first."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch

from autograder import ROOT
from autograder.course.labs import find_lab
from autograder.course.source import read_source
from utils.runtime import Budget, current_budget, setup


def test_budget_falls_back_to_the_next_larger_one():
    assert Budget("grade").pick(full=1, cpu=2, ci=3) == 3
    assert Budget("cpu").pick(full=1, ci=3) == 1
    with pytest.raises(ValueError, match="laptop"):
        Budget("cpu").pick(laptop=1)
    with pytest.raises(ValueError):
        Budget("full").pick(ci=3)


def test_a_bad_budget_is_named(monkeypatch):
    monkeypatch.setenv("LAB_BUDGET", "huge")
    with pytest.raises(ValueError, match=r"'huge'.*full, cpu, ci, grade"):
        setup("lab1_discrete_toys")


def test_setup_prints_one_line_and_seeds_everything(capsys, monkeypatch):
    importlib.import_module("utils.data")  # adds its fact to the line
    monkeypatch.setenv("LAB_BUDGET", "ci")
    draws = []
    for _ in range(2):
        setup("lab4_mnist_cfg", seed=3)
        draws.append((torch.rand(()).item(), np.random.rand(), __import__("random").random()))
    assert draws[0] == draws[1]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "budget ci" in lines[0] and "data:" in lines[0]


def test_a_lab_for_the_cpu_takes_no_gpus_budget(capsys, monkeypatch):
    monkeypatch.delenv("LAB_BUDGET", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert setup("lab1_discrete_toys", device="cpu") == (torch.device("cpu"), Budget("cpu"))
    assert "device cpu · budget cpu" in capsys.readouterr().out
    assert current_budget() == Budget("full") and current_budget(torch.device("cpu")) == Budget("cpu")


@pytest.mark.parametrize("lab", ["lab1", "lab2"])
def test_labs_without_images_do_not_import_them(lab):
    """Else their first cell says that MNIST will be downloaded, and a student waits for it."""
    source = read_source(find_lab(lab))
    setup_cell = next(cell.source for cell in source.cells if "device, budget = setup(" in cell.source)
    imports = [line for line in setup_cell.splitlines() if line.startswith(("from utils", "import utils"))]
    code = "\n".join([*imports, "import sys", "assert 'utils.data' not in sys.modules"])
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
