"""The known mistakes of an exercise as a table. It is read only when a comparison has failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from utils.checks.judging import Judge


@dataclass(frozen=True)
class Mistake:
    """One known way to get an exercise wrong.

    Args:
        code: Names the mistake for machines, such as `eta_inverted`.
        formula: Computes what this mistake gives, from the terms of the exercise.
        message: What a teaching assistant would say, or a function of the terms that says it.
    """

    code: str
    formula: Callable[[Any], Tensor]
    message: str | Callable[[Any], str]


def compare(
    judge: Judge,
    actual: Tensor,
    expected: Tensor,
    mistakes: Sequence[Mistake],
    terms: Any,
    otherwise: tuple[str, str],
    rtol: float = 1e-6,
    atol: float = 1e-9,
) -> None:
    """Fail unless `actual` is `expected`, with the first mistake of the table that explains the difference.

    Args:
        judge: The judge of the exercise.
        actual: What the student's code returned.
        expected: What is right; the same shape.
        mistakes: The table, most specific first.
        terms: What the formulas of the table read: a dataclass, or the exercise's `Inputs`.
        otherwise: Code and message where no mistake of the table explains the difference.
        rtol: Tolerance relative to the largest expected value.
        atol: Absolute tolerance.
    """
    judge.compare(actual, expected, lambda: list(evaluated(mistakes, terms)), otherwise, rtol, atol)


def evaluated(mistakes: Sequence[Mistake], terms: Any):
    """Yield (code, message, tensor) of each mistake."""
    for mistake in mistakes:
        message = mistake.message if isinstance(mistake.message, str) else mistake.message(terms)
        yield mistake.code, message, mistake.formula(terms)
