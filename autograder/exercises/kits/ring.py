"""Comparison of places on the ring [0, 1) with a table of mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, evaluated
from utils.checks.judging import Judge
from utils.checks.kits.ring import same_place


def fail_on_ring(
    judge: Judge,
    actual: Tensor,
    mistakes: Sequence[Mistake],
    terms: Any,
    otherwise: tuple[str, str],
    tolerance: float | Tensor,
) -> None:
    """Fail with the first mistake of the table that leads to the same places as `actual`.

    Args:
        judge: The judge of the exercise.
        actual: A state that is known to be wrong.
        mistakes: The table, most specific first.
        terms: What the formulas of the table read.
        otherwise: Code and message where no mistake of the table explains the state.
        tolerance: The largest distance on the ring that counts as the same place.
    """
    for code, message, wrong in evaluated(mistakes, terms):
        if same_place(actual, wrong, tolerance):
            judge.fail(code, message)
    judge.fail(*otherwise)
