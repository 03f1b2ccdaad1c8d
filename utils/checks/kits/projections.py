"""Compare a tensor with the answer without holding the answer: by one number, its mean along random directions.

An oracle in `tests/exercises` made these numbers once for the public challenge, in float64.
"""

from __future__ import annotations

from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.judging import Judge

TOLERANCE = 1e-4


def project(challenge: Challenge, name: str, value: Tensor) -> float:
    """Return the mean of a tensor times fixed random directions.

    Args:
        challenge: Fixes the directions.
        name: Names the directions; each result of an exercise has its own.
        value: Any shape.
    """
    return float((value * challenge.randn(f"{name} directions", tuple(value.shape))).mean())


def require_projection(judge: Judge, name: str, actual: Tensor, expected: float, finding: tuple[str, str]) -> None:
    """Fail with a finding unless the projection of a tensor is the expected number.

    Args:
        judge: The judge of the public check.
        name: Names the directions, as in `project`.
        actual: What the student's code returned.
        expected: The number from the oracle.
        finding: Code and message.
    """
    error = abs(project(judge.challenge, name, actual) - expected)
    judge.require(error < TOLERANCE * max(1.0, abs(expected)), *finding)
