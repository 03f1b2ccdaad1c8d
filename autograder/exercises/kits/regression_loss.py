"""A training loss that is a regression: the loss and its gradient, and the mistakes that labs 2 and 4 share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, compare
from utils.checks.judging import Judge
from utils.checks.kits.regression_loss import backward_of, require_scalar
from utils.checks.kits.requirements import require_gradient

GRADIENT_RTOL = 1e-7  # at least: the terms of a gradient cancel, and rounding errors do not


@dataclass(frozen=True)
class Regression:
    """What a loss compares: the model's output and the target, (b, …) in float64."""

    out: Tensor
    target: Tensor

    @property
    def error(self) -> Tensor:
        """Output minus target."""
        return self.out - self.target

    @property
    def square(self) -> Tensor:
        """The squared error of each coordinate."""
        return self.error**2


def reductions(coordinates: str, minimiser: str) -> list[Mistake]:
    """Return the mistakes of averaging and squaring.

    Args:
        coordinates: What the loss is averaged over besides the batch, such as "pixels". It ends the code `summed_…`.
        minimiser: What the minimiser of the squared error is, such as "the mean velocity".
    """
    mean = f"The exercise asks for the mean over batch and {coordinates}."
    return [
        Mistake(
            f"summed_{coordinates}",
            lambda p: p.square.sum() / len(p.error),
            lambda p: (
                f"Your loss is {p.error[0].numel()} times the mean, because squared errors are summed over the "
                f"{coordinates}. {mean}"
            ),
        ),
        Mistake(
            "summed_batch",
            lambda p: p.square.sum() / p.error[0].numel(),
            f"Squared errors are summed over the batch. {mean}",
        ),
        Mistake("summed_all", lambda p: p.square.sum(), f"Squared errors are summed over everything. {mean}"),
        Mistake(
            "absolute_error",
            lambda p: p.error.abs().mean(),
            f"Your loss is the mean absolute error. Use squared errors: only their minimiser is {minimiser}.",
        ),
        Mistake(
            "root_of_error",
            lambda p: p.square.flatten(1).sum(1).sqrt().mean(),
            "You take the root of the squared error. The mean of norms has another minimiser than the mean of squares.",
        ),
        Mistake(
            "root_of_error",
            lambda p: p.square.mean().sqrt(),
            "You take the root of the mean squared error. Return the mean itself.",
        ),
        Mistake(
            "sum_before_square",
            lambda p: (p.error.flatten(1).sum(1) ** 2).mean(),
            f"Errors of the {coordinates} are added up before they are squared, so that they cancel. Square first.",
        ),
        Mistake(
            "sum_before_square",
            lambda p: p.error.mean() ** 2,
            "Errors are averaged before they are squared, so that they cancel. Square first.",
        ),
        Mistake("half", lambda p: p.square.mean() / 2, "Your loss is half the mean squared error."),
    ]


def judge_regression(
    judge: Judge,
    run: str,
    terms: Regression,
    mistakes: Sequence[Mistake],
    otherwise: str,
    coordinates: str,
    rtol: float,
    atol: float = 1e-9,
) -> None:
    """Fail unless the recorded loss is the mean squared error, and its gradient the gradient of that.

    Args:
        judge: The judge of the exercise.
        run: The name of the run, with the evidence of `record_loss`.
        terms: The model's output, the target, and what else the formulas of `mistakes` read.
        mistakes: The table, most specific first.
        otherwise: The message for a wrong loss that no mistake explains.
        coordinates: What the loss is averaged over besides the batch, such as "pixels".
        rtol: Relative tolerance of the loss.
        atol: Absolute tolerance of the loss.
    """
    loss = require_scalar(judge, run, coordinates)
    compare(judge, loss, terms.square.mean(), mistakes, terms, ("wrong_loss", otherwise), rtol, atol)
    require_gradient(judge, f"{run}/loss")
    judge.attempt(backward_of(run))
    # d loss / d gain at gain = 1, where the model's output is gain times a fixed tensor.
    parts, rtol = 2 * terms.error * terms.out, max(rtol, GRADIENT_RTOL)
    judge.compare(
        judge.tensor(f"{run}/grad", (), "The gradient of the model's parameter"),
        parts.mean(),
        otherwise=(
            "wrong_gradient",
            "The loss is right, but its gradient is not. Is a part of the loss cut off from the model, or used twice?",
        ),
        rtol=rtol,
        atol=rtol * float(parts.abs().mean()),
    )
