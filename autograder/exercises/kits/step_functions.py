"""Explain wrong results of lab 3's functions of a tensor, a step and a schedule by a table of mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, evaluated
from utils.checks.judging import Judge


def fail_if_known(judge: Judge, same: Callable[[Tensor], bool], mistakes: Sequence[Mistake], terms: Any) -> None:
    """Fail with the first mistake of the table that gives what the student's code returned.

    Args:
        judge: The judge of the exercise.
        same: Whether a tensor is what the student's code returned.
        mistakes: The table, most specific first.
        terms: What the formulas of the table read.
    """
    for code, message, wrong in evaluated(mistakes, terms):
        if same(wrong):
            judge.fail(code, message)
