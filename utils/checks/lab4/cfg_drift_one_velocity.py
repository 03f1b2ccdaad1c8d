"""Where one of the two velocities is the drift, in exercise 4.3: at the scales 0 and 1, and for the null label."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.kits.listing import shorten
from utils.checks.kits.regression_loss import ROUNDING
from utils.checks.lab4.cfg_drift_inputs import SAME_INPUT, Inputs
from utils.checks.stubs import RandomField

NULL_ROWS = (
    "null_rows_wrong",
    "The drift is right for samples that have a label, and wrong for those whose label is null. "
    "For these, guidance has nothing to add, whatever w is.",
)


def null_rows_alone(inputs: Inputs, wrong: Tensor) -> bool:
    """Return whether all rows with a wrong number, of which `wrong` tells the places, have the null label."""
    return not bool((wrong.flatten(1).any(dim=1) & (inputs.y != inputs.null_label)).any())


def require_labels_alike(judge: Judge, wrong: Mapping[str, Tensor]) -> None:
    """Fail if in each run all samples of some labels are wrong, and all others right, not only those without a label.

    Args:
        judge: The judge of the exercise.
        wrong: Which numbers of the drift are wrong, the shape of x, by run. The runs have samples of many labels.
    """
    inputs, bad = None, torch.tensor([])
    for run, places in wrong.items():
        inputs, rows = Inputs.of(judge.challenge, run), places.flatten(1).any(dim=1)
        bad, good = inputs.y[rows].unique(), inputs.y[~rows]
        if bool(torch.isin(good, bad).any()) or bool((good == inputs.null_label).all()):
            return
    if inputs is not None:
        judge.fail(
            "label_not_heard",
            f"At w = {inputs.w:.3g} the drift is wrong for the samples with label "
            f"{shorten(bad.tolist(), most=3)}, and right for all others. "
            f"All labels are treated alike, but for self.null_label, which is {inputs.null_label} here.",
        )


def check_labelled_rows(judge: Judge, drifts: dict[str, Tensor]) -> None:
    """Fail if at w = 0 and at w = 1 the drift is right for samples that have a label, and wrong for others."""
    found = []
    for run, which in (("w1", 0), ("w0", 1)):
        inputs = Inputs.of(judge.challenge, run)
        velocity = velocities(judge, inputs)[which]
        wrong = (drifts[run] - velocity).abs() > ROUNDING * inputs.size_of_terms(velocity)
        if not null_rows_alone(inputs, wrong):
            return
        found.append(bool(wrong.any()))
    judge.require(not any(found), *NULL_ROWS)


def check_zero(judge: Judge, drifts: dict[str, Tensor]) -> None:
    """Fail unless the drift at w = 0 is the unconditional velocity; say what it is instead."""
    inputs = Inputs.of(judge.challenge, "w0")
    u_y, u_null = velocities(judge, inputs)
    drift, tolerance = drifts["w0"], ROUNDING * inputs.size_of_terms(u_null)
    if judge.close(drift, u_null, 0, tolerance):
        return
    advice = "which ignores the label"
    if judge.close(drift, torch.zeros_like(drift), 0, tolerance):
        judge.fail("scale_0_is_zero", f"At w = 0 your drift is 0, and should be the network's velocity {advice}.")
    judge.require(
        not judge.close(drift, -u_null, 0, tolerance),
        "scale_0_backwards",
        f"At w = 0 your drift points backwards: it is minus the network's velocity {advice}.",
    )
    if judge.close(drift, u_y, 0, tolerance):
        at_one, ends = drifts["w1"], velocities(judge, Inputs.of(judge.challenge, "w1"))
        found = "At w = 0 your drift is the velocity for the label y"
        if judge.close(at_one, ends[0], 0, tolerance):
            judge.fail("scale_0_like_1", f"{found}, and at w = 1 as well. w = 0 is the velocity {advice}.")
        if judge.close(at_one, ends[1], 0, tolerance):
            judge.fail("ends_swapped", f"{found}, and at w = 1 the one without a label. It is the other way round.")
        judge.fail("scale_0_has_label", f"{found}. In this course w = 0 is the velocity {advice}.")
    k = share_of_way(drift, u_null, u_y)
    on_the_line = judge.close(drift, u_null + k * (u_y - u_null), 0, tolerance)
    k_at_one = share_of_way(drifts["w1"], *reversed(velocities(judge, Inputs.of(judge.challenge, "w1"))))
    judge.require(
        not on_the_line or abs(k - k_at_one) > SAME_INPUT * abs(k),
        "scale_unused",
        f"From the velocity without the label to the one with it, your drift goes {k:.3g} times the way, at w = 0 and "
        "at w = 1 alike. The guidance scale has to decide how far it goes.",
    )
    judge.require(
        not on_the_line,
        "scale_0_elsewhere",
        f"From the velocity without the label to the one with it, at w = 0 your drift goes {k:.3g} times the way, and "
        "should not go at all.",
    )
    judge.fail("scale_0", f"At w = 0 the drift is not the network's velocity {advice}.")


def share_of_way(drift: Tensor, u_null: Tensor, u_y: Tensor) -> float:
    """Return k such that u_null + k (u_y - u_null) is nearest to the drift."""
    way = u_y - u_null
    return float(((drift - u_null) * way).sum() / way.square().sum())


def check_one(judge: Judge, drifts: dict[str, Tensor]) -> None:
    """Fail unless the drift at w = 1 is the conditional velocity; say what it is instead."""
    inputs = Inputs.of(judge.challenge, "w1")
    u_y, u_null = velocities(judge, inputs)
    drift, tolerance = drifts["w1"], ROUNDING * inputs.size_of_terms(u_y)
    if judge.close(drift, u_y, 0, tolerance):
        return
    if judge.close(drift, u_null, 0, tolerance):
        judge.fail("scale_1_has_no_label", "At w = 1 your drift is still the velocity without the label.")
    k = share_of_way(drift, u_null, u_y)
    judge.require(
        not judge.close(drift, u_null + k * (u_y - u_null), 0, tolerance),
        "scale_1_elsewhere",
        f"From the velocity without the label to the one with it, at w = 1 your drift goes {k:.3g} times the way, not "
        "once.",
    )
    require_labels_alike(judge, {"w1": (drift - u_y).abs() > tolerance})
    judge.fail("scale_1", "At w = 1 the drift is not the network's velocity for the label y.")


def check_null_rows(judge: Judge, drifts: dict[str, Tensor]) -> None:
    """Fail unless samples with the null label move with the unconditional velocity, whatever w is."""
    for run, drift in drifts.items():
        if run == "far":  # a limited velocity is another mistake
            continue
        inputs = Inputs.of(judge.challenge, run)
        null = inputs.y == inputs.null_label
        velocity = velocities(judge, inputs)[1][null]
        judge.require(
            judge.close(drift[null], velocity, 0, ROUNDING * inputs.size_of_terms(velocity) if len(velocity) else 0),
            "null_row_depends_on_scale",
            "For a sample whose label is already null, guidance has nothing to add, whatever w is.",
        )


def velocities(judge: Judge, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Return the stub network's velocities for the labels y and for the null label, in float64."""
    net = RandomField(judge.challenge, "net")
    return tuple(net(inputs.x, inputs.t, label).double() for label in (inputs.y, inputs.null))  # type: ignore[return-value]
