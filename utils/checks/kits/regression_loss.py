"""A training loss that is a regression: how a call is recorded, and what must hold whatever the target is.

Lab 2 regresses on a score, lab 4 on a velocity. In both a model is evaluated at a noisy x, and the squared error is
averaged over the batch and over the coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from utils.checks.evidence import Evidence
from utils.checks.judging import Judge

EXACT = {torch.float64: 1e-9, torch.float32: 1e-4}  # relative tolerance of numbers that were computed in this dtype
ROUNDING = 1e-4  # relative: an answer that is right to float32's precision is right, whatever the dtype of its inputs


def record_loss(evidence: Evidence, run: str, loss: object, parameter: nn.Parameter) -> None:
    """Put a loss into the evidence, with its gradient with respect to the model's parameter.

    Args:
        evidence: Filled with `run/loss` and, if the loss has a gradient, `run/grad`.
        run: The name of the run.
        loss: What the student's code returned.
        parameter: The parameter of the model that the loss was computed with. Its `grad` is left as it is.
    """
    evidence.put(f"{run}/loss", loss)
    if isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1:
        with evidence.attempt(backward_of(run)):  # it fails where the student's code went backward already
            (gradient,) = torch.autograd.grad(loss.sum(), parameter, allow_unused=True)
            evidence.put(f"{run}/grad", gradient)


def backward_of(run: str) -> str:
    """Return the name of the attempt to compute the gradient of a run's loss."""
    return f"{run}_backward"


def require_called(judge: Judge, run: str, stubs: Mapping[str, tuple[str, str]]) -> None:
    """Fail if a stub was never called.

    Args:
        judge: The judge of the exercise.
        run: The name of the run.
        stubs: Code and message for each recorded stub, such as `{"model": ("model_not_called", "…")}`.
    """
    for stub, (code, message) in stubs.items():
        judge.require(judge.value(f"{run}/{stub}/count", int) > 0, code, message)


def require_one_time_each(judge: Judge, t: Tensor, calls: int, rows: int, expected: tuple[int, ...]) -> None:
    """Fail unless each sample has its own time, with one axis for each axis of a sample.

    Args:
        judge: The judge of the exercise.
        t: The recorded times of all calls.
        calls: The number of calls.
        rows: The number of samples in all calls.
        expected: The shape of t for one batch, for the message: (b, 1, …, 1).
    """
    if t.numel() == calls and calls < rows:
        judge.fail("time_shared", "All samples of a batch share one time t. Each needs its own.")
    judge.require(
        t.shape == (rows, *expected[1:]),
        "time_shape",
        f"t has shape {tuple(t.shape)}, expected {expected}: one time for each sample, with axes to broadcast along.",
    )


def find_rows(actual: Tensor, candidates: Tensor, step: int, same: Callable[[Tensor, Tensor], bool]) -> int | None:
    """Return the first row of the batch in `candidates` that equals `actual`, or None.

    Args:
        actual: One batch, (b, …).
        candidates: Several batches after each other, (n, …).
        step: The distance of two possible first rows: b if batches do not overlap.
        same: Says whether two batches are equal.
    """
    batch = len(actual)
    starts = range(0, len(candidates) - batch + 1, step)
    return next((start for start in starts if same(actual, candidates[start : start + batch])), None)


def require_scalar(judge: Judge, run: str, coordinates: str) -> Tensor:
    """Return the recorded loss; fail unless it is one number without axes.

    Args:
        judge: The judge of the exercise.
        run: The name of the run.
        coordinates: What the loss is averaged over besides the batch, such as "pixels".
    """
    loss = judge.tensor(f"{run}/loss", what="The loss")
    judge.require(
        loss.shape == (),
        "no_reduction",
        f"Your loss has shape {tuple(loss.shape)}. "
        f"Average it over batch and {coordinates} to one number, a tensor without axes.",
    )
    return loss
