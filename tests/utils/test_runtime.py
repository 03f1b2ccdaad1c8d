"""Budgets, seeds, and the line that every lab prints first."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from utils.runtime import Budget, setup


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
    monkeypatch.setenv("LAB_BUDGET", "ci")
    draws = []
    for _ in range(2):
        setup("lab4_mnist_cfg", seed=3)
        draws.append((torch.rand(()).item(), np.random.rand(), __import__("random").random()))
    assert draws[0] == draws[1]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "budget ci" in lines[0] and "data:" in lines[0]
