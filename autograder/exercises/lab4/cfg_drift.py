"""Exercise 4.3, hidden: the guided velocity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, compare
from autograder.exercises.kits.scales import other_scale
from utils.checks.judging import Judge
from utils.checks.kits.regression_loss import EXACT
from utils.checks.lab4.cfg_drift import (
    RUNS,
    Inputs,
    require_drift,
    require_inputs_kept,
    require_integer_labels,
    wrong_drift,
)
from utils.checks.stubs import RandomField

FIRST = ["whalf", "random"]  # at these scales no two mistakes give the same drift


@dataclass(frozen=True)
class Terms:
    """The network's velocities for one run, in float64, and the guidance scale."""

    w: float
    u_y: Tensor  # for the labels y
    u_null: Tensor  # for the null label
    u_zero: Tensor  # for label 0, which is a class
    u_ten: Tensor  # for label 10, the lab's null label

    @classmethod
    def of(cls, judge: Judge, inputs: Inputs) -> Terms:
        """Evaluate the stub network again."""
        net, y = RandomField(judge.challenge, "net"), inputs.y
        labels = (y, inputs.null, torch.zeros_like(y), torch.full_like(y, 10))
        return cls(inputs.w, *(net(inputs.x, inputs.t, label).double() for label in labels))

    @property
    def drift(self) -> Tensor:
        """The guided velocity."""
        return (1 - self.w) * self.u_null + self.w * self.u_y

    @property
    def difference(self) -> Tensor:
        """The velocity with the label minus the velocity without it."""
        return self.u_y - self.u_null


def clipped(p: Terms) -> Tensor:
    """Return the drift for a scale that is limited to [0, 1]."""
    w = min(max(p.w, 0), 1)
    return (1 - w) * p.u_null + w * p.u_y


MISTAKES = [
    Mistake(
        "scales_swapped",
        lambda p: p.w * p.u_null + (1 - p.w) * p.u_y,
        "The weights of the two velocities are swapped. What must the result be at w = 0, and at w = 1?",
    ),
    Mistake(
        "one_plus_w",
        lambda p: (1 + p.w) * p.u_y - p.w * p.u_null,
        "You use the convention in which w = 0 is the conditional model. "
        "In this course w = 0 is unconditional and w = 1 conditional.",
    ),
    Mistake(
        "missing_one_minus_w",
        lambda p: p.u_null + p.w * p.u_y,
        "The unconditional velocity enters with weight 1, so the weights do not add up to 1.",
    ),
    Mistake(
        "only_the_difference",
        lambda p: p.w * p.difference,
        "Only the difference of the two velocities is left: at w = 0 your samples would not move.",
    ),
    Mistake(
        "scale_clipped",
        clipped,
        "The guidance scale is clipped to [0, 1]. Guidance is what happens beyond 1.",
    ),
    Mistake("only_conditional", lambda p: p.u_y, "The drift does not depend on the unconditional velocity."),
    Mistake(
        "only_conditional",
        lambda p: p.w * p.u_y,
        "The drift is w times the conditional velocity. Where is the unconditional one?",
    ),
    Mistake("only_unconditional", lambda p: p.u_null, "The drift is the unconditional velocity, whatever w is."),
    Mistake(
        "wrong_sign",
        lambda p: p.u_null - p.w * p.difference,
        "Guidance pushes away from the class: look at the sign of the difference.",
    ),
    Mistake(
        "wrong_sign",
        lambda p: p.w * p.u_y - (1 - p.w) * p.u_null,
        "The unconditional velocity enters with the wrong sign.",
    ),
    Mistake(
        "wrong_null_label",
        lambda p: (1 - p.w) * p.u_zero + p.w * p.u_y,
        "The unconditional velocity was evaluated with label 0, which is a class. Use self.null_label.",
    ),
    Mistake(
        "wrong_null_label",
        lambda p: (1 - p.w) * p.u_ten + p.w * p.u_y,
        "The unconditional velocity was evaluated with label 10. Use self.null_label.",
    ),
    Mistake("scale_ignored", lambda p: 0.5 * (p.u_y + p.u_null), "The drift does not depend on w."),
]


def verdict(judge: Judge) -> None:
    """Compare the drift with the combination of the two velocities, for every scale."""
    with judge.part("drift", points=2):
        right_at_two = is_right_at_two(judge)
        for run in (*FIRST, *(run for run in RUNS if run not in FIRST)):
            inputs = Inputs.of(judge.challenge, run)
            drift = require_drift(judge, run, inputs)
            judge_drift(judge, run, drift, right_at_two)
            require_integer_labels(judge, run)
            require_inputs_kept(judge, run, inputs)
        judge.device()


def is_right_at_two(judge: Judge) -> bool:
    """Return whether the drift is right at w = 2; then a wrong one at another scale comes from how w is used."""
    actual = judge.evidence.tensors.get("w2/drift", torch.empty(0))
    return judge.close(actual, Terms.of(judge, Inputs.of(judge.challenge, "w2")).drift)


def judge_drift(judge: Judge, run: str, drift: Tensor, right_at_two: bool) -> None:
    """Compare the drift of one run."""
    inputs = Inputs.of(judge.challenge, run)
    terms, mistakes = Terms.of(judge, inputs), MISTAKES
    if right_at_two:
        code, message, guided = other_scale(drift, terms.u_null, terms.difference, terms.w)
        mistakes = [Mistake(code, lambda _: guided, message), *MISTAKES]
    otherwise = wrong_drift(judge.challenge, run)
    compare(judge, drift, terms.drift, mistakes, terms, otherwise, EXACT[inputs.x.dtype])
