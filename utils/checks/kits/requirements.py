"""Requirements that many exercises share. The public check and the hidden verdict run the same functions."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.judging import Judge

HALF_PRECISION = torch.float16, torch.bfloat16
MANY = 10  # so many different numbers do not all have few digits by chance


def require_unchanged(judge: Judge, name: str) -> None:
    """Fail if the probe saw that the student's code changed one of its inputs.

    Args:
        judge: The judge of the exercise.
        name: The boolean evidence, such as `main/inputs_kept`.
    """
    judge.require(
        judge.value(name, bool),
        "input_altered",
        "Your code changed one of its inputs in place. The caller still needs it: build a new tensor.",
    )


def require_gradient(judge: Judge, name: str) -> None:
    """Fail if the loss of this name is cut off from the model.

    Args:
        judge: The judge of the exercise.
        name: The loss, such as `call0/loss`.
    """
    gradient = f"{name.rpartition('/')[0]}/grad"  # of the model's parameter; None if the loss does not depend on it
    judge.require(
        judge.evidence.values.get(f"{name}.requires_grad") and judge.evidence.kinds.get(gradient) != "NoneType",
        "detached",
        "No gradient flows from your loss to the model: nothing would be learned.",
    )


def require_float32_digits(judge: Judge, actual: Tensor, what: str) -> None:
    """Fail if all numbers have the few digits of a half-precision number.

    Args:
        judge: The judge of the exercise.
        actual: The numbers, in float64.
        what: How the message begins, such as "The field `alpha_bars`".
    """
    short = any(torch.equal(actual.to(dtype).double(), actual) for dtype in HALF_PRECISION)
    judge.require(
        not short or actual.unique().numel() < MANY,
        "few_digits",
        f"{what} has the three digits of a half-precision number. Keep all numbers in float32 at least.",
    )
