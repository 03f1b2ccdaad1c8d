"""Exercise 4.2, hidden: the training loss of classifier-free guidance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from autograder.exercises.kits.regression_loss import Regression, judge_regression, reductions
from utils.checks.judging import Judge
from utils.checks.kits.regression_loss import ROUNDING
from utils.checks.lab4.cfg_train_loss import check_toy_losses
from utils.checks.lab4.cfg_train_loss_calls import Call, require_calls
from utils.checks.lab4.cfg_train_loss_inputs import RUNS
from utils.checks.stubs import RandomField


@dataclass(frozen=True)
class Terms(Regression):
    """What the formulas read: output and target of one call, and how they came about."""

    call: Call

    @classmethod
    def of(cls, judge: Judge, run: str, call: Call) -> Terms:
        """Compute the model's output and the path's target again, in the dtype of the run."""
        _, dtype, _ = RUNS[run]
        x, z, t = (tensor.to(dtype) for tensor in (call.x, call.z, call.t))
        out = RandomField(judge.challenge, "model")(x, t, call.y_model).double()
        target = RandomField(judge.challenge, "path target", amplitude=2.0)(x, t, z).double()
        return cls(out, target, call)

    def mean_over(self, rows: Tensor) -> Tensor:
        """Return the mean squared error of these rows, (b,) booleans; 0 if there are none."""
        return self.square[rows].mean() if bool(rows.any()) else torch.zeros((), dtype=torch.float64)


NULL_ROWS = "They are how the model learns the unconditional velocity."
EQUAL_WEIGHTS = "The exercise asks for equal weights."

MISTAKES = [
    *reductions("pixels", "the mean velocity"),
    Mistake(
        "target_sign",
        lambda p: ((p.out + p.target) ** 2).mean(),
        "The target enters with the wrong sign: you add it to the model's output.",
    ),
    Mistake(
        "target_is_z",
        lambda p: ((p.out - p.call.z) ** 2).mean(),
        "You regress on the image z. That is a denoiser; the exercise asks for the velocity.",
    ),
    Mistake(
        "target_is_displacement",
        lambda p: ((p.out - (p.call.z - p.call.x)) ** 2).mean(),
        "You regress on z - x, which is not the path's velocity.",
    ),
    Mistake(
        "null_rows_dropped",
        lambda p: p.mean_over(~p.call.null),
        f"The samples with the null label do not count in your loss. {NULL_ROWS}",
    ),
    Mistake(
        "null_rows_dropped",
        lambda p: (p.square * ~p.call.null.reshape(-1, 1, 1, 1)).mean(),
        f"The samples with the null label are set to zero in your loss. {NULL_ROWS}",
    ),
    Mistake(
        "only_null_rows",
        lambda p: p.mean_over(p.call.null if bool(p.call.null.any()) else ~p.call.null),
        "Only the samples with the null label count in your loss.",
    ),
    Mistake(
        "weighted",
        lambda p: (p.square * p.call.t).mean(),
        f"Your loss is weighted by the time t. {EQUAL_WEIGHTS}",
    ),
    Mistake(
        "weighted",
        lambda p: (p.square * (1 - p.call.t)).mean(),
        f"Your loss is weighted by 1 - t. {EQUAL_WEIGHTS}",
    ),
]


def verdict(judge: Judge) -> None:
    """Run all requirements, and compare each loss with the mean squared error, and those of toy models with theirs."""
    with judge.part("loss", points=4):
        for run, call in require_calls(judge).items():
            judge_regression(
                judge,
                run,
                Terms.of(judge, run, call),
                MISTAKES,
                "Given your x, t and labels, the mean squared error between the model's output and the path's velocity "
                "is another number. Compare your last lines with the formula.",
                "pixels",
                ROUNDING,
            )
        check_toy_losses(judge)
        judge.device()
