"""Exercise 4.3, hidden: the guided velocity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, evaluated
from autograder.exercises.kits.scales import other_scale
from utils.checks.judging import Judge
from utils.checks.kits.regression_loss import ROUNDING
from utils.checks.lab4.cfg_drift import (
    explain_runs,
    require_drifts,
    require_samples_apart,
    require_two_velocities,
    wrong_drift,
)
from utils.checks.lab4.cfg_drift_inputs import NULL_FROM, RUNS, Inputs
from utils.checks.lab4.cfg_drift_one_velocity import (
    NULL_ROWS,
    null_rows_alone,
    require_labels_alike,
    velocities,
)


@dataclass(frozen=True)
class Terms:
    """The network's velocities and the guidance scale for all numbers of one run, or of several after each other.

    Each run is divided by the size of its terms, so that one tolerance fits all runs.
    """

    w: Tensor  # (n,)
    u_y: Tensor  # (n,) for the labels y
    u_null: Tensor  # (n,) for the null label

    @classmethod
    def of(cls, judge: Judge, inputs: Inputs) -> tuple[Terms, float]:
        """Evaluate the stub network again for one run; also return the size that the terms were divided by."""
        u_y, u_null = velocities(judge, inputs)
        size = inputs.size_of_terms(torch.stack([u_y, u_null]))
        return cls(torch.full((u_y.numel(),), inputs.w).double(), u_y.flatten() / size, u_null.flatten() / size), size

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
    w = p.w.clamp(0, 1)
    return (1 - w) * p.u_null + w * p.u_y


MISTAKES = [  # each must explain all runs together
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
        "missing_one_minus_w",
        lambda p: p.u_y + p.w * p.u_null,
        "The conditional velocity enters with weight 1, so the weights do not add up to 1.",
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
    Mistake("wrong_sign", lambda p: -p.drift, "Your drift points backwards: all of it has the wrong sign."),
]


def verdict(judge: Judge) -> None:
    """Compare the drift with the combination of the two velocities, for every scale."""
    with judge.part("drift", points=2):
        drifts = require_drifts(judge)
        judge_drifts(judge, drifts)
        require_samples_apart(judge, drifts)
        require_two_velocities(judge)
        judge.device()


def judge_drifts(judge: Judge, drifts: dict[str, Tensor]) -> None:
    """Compare the drifts of all runs, and name what explains the wrong ones."""
    terms, actual, wrong, labelled = {}, {}, {}, True  # wrong: which numbers of the drift are, by run
    for run, drift in drifts.items():
        terms[run], size = Terms.of(judge, Inputs.of(judge.challenge, run))
        actual[run] = drift.flatten() / size
        if not judge.close(actual[run], terms[run].drift, 0, ROUNDING):
            wrong[run] = ((actual[run] - terms[run].drift).abs() > ROUNDING).reshape(drift.shape)
            labelled = labelled and null_rows_alone(Inputs.of(judge.challenge, run), wrong[run])
    if not wrong:
        return
    together = Terms(*(torch.cat([getattr(p, name) for p in terms.values()]) for name in ("w", "u_y", "u_null")))
    for code, message, value in evaluated(MISTAKES, together):
        judge.require(not judge.close(torch.cat(list(actual.values())), value, 0, ROUNDING), code, message)
    judge.require(not labelled or list(wrong) == ["all_null"], *NULL_ROWS)
    explain_runs(judge, list(wrong))
    require_given_scale(judge, terms, actual, list(wrong))
    require_labels_alike(judge, {run: places for run, places in wrong.items() if len(places) > NULL_FROM})
    judge.fail(*wrong_drift(judge.challenge, list(wrong)))


def require_given_scale(judge: Judge, terms: dict[str, Terms], actual: dict[str, Tensor], wrong: list[str]) -> None:
    """Fail if every drift is right for some scale, but for the same one always, or for another than the given one."""
    scales, findings = [], {}
    for run in RUNS:
        p = terms[run]
        if not bool(p.difference.any()):  # all labels are null
            continue
        k = float(((actual[run] - p.u_null) * p.difference).sum() / p.difference.square().sum())
        if not judge.close(actual[run], p.u_null + k * p.difference, 0, ROUNDING):
            return
        scales.append(k)
        findings[run] = other_scale(actual[run], p.u_null, p.difference, float(p.w[0]))[:2]
    judge.require(
        max(scales) - min(scales) > 100 * ROUNDING,
        "scale_ignored",
        f"The drift does not depend on w: for every w it is the result for w = {scales[0]:.3g}.",
    )
    guided = [run for run in wrong if run in findings]
    if guided and "w2" not in wrong:
        judge.fail(*findings[guided[0]])
