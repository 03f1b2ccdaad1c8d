"""Exercise 4.3: the guided velocity."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.listing import shorten
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import alike, require_alike
from utils.checks.lab4.cfg_drift_inputs import (
    ALIKE,
    CHANGED,
    FAR,
    GUIDED_WITH_NULL,
    IN_TRAINING,
    OBJECTS,
    RUNS,
    SAME_INPUT,
    WIDE,
    Inputs,
    changed,
)
from utils.checks.lab4.cfg_drift_one_velocity import check_labelled_rows, check_null_rows, check_one, check_zero
from utils.checks.stubs import StubModel
from utils.checks.student import Student

WRONG_AT = {"w2": "wrong_beyond_one", "wlarge": "wrong_at_large_scale", "wnegative": "wrong_at_negative_scale"}
MEAN_ROUNDING = 1e-5  # relative, of a mean of many numbers: float32's rounding errors are far smaller
EVALUATIONS_SHARE = 0.25  # of the points, that more than two evaluations for a sample lose
NEAR_END = 0.05  # times nearer to 0 or 1 may be changed by a clamp that others do not feel

# The mean of drift times `drift_probe` on the public challenge. An oracle made the numbers: it guides the score of a
# path, in float64. tests/exercises/lab4/test_cfg_drift.py computes them again.
PUBLIC_DRIFTS = {
    "w0": -0.1130814,
    "w0_again": -0.0039742,
    "w1": -0.0034592,
    "w1_again": 0.0087791,
    "w2": -0.1124681,
    "w2_again": 0.1350021,
    "whalf": -0.1097943,
    "whalf_again": 0.0253111,
    "wlarge": 11.2284184,
    "wlarge_again": 16.9273945,
    "wnegative": -0.4152870,
    "wnegative_again": 0.3727704,
    "random": -0.0516162,
    "random_few": -0.4796110,
    "one": -1.0993347,
    "wide": -0.3034651,
    "far": -8.5881830,
    "labelled": -0.5720177,
    "all_null": 0.1102536,
    "mostly_null": -0.2893094,
    "single": -0.4013190,
}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the drift in every run, and record how the network is evaluated."""
    ODE = student.method("CFGVectorFieldODE", "drift_coefficient", "x", "t", "y")
    inputs: Inputs  # of the call before, until the next one
    for name, calls in OBJECTS.items():
        first = Inputs.of(challenge, next(iter(calls)))
        net, ode = StubModel(challenge, "net", dtype=first.x.dtype).train(name == IN_TRAINING), None
        for run in calls:
            before = Inputs.of(challenge, run)
            inputs = changed(inputs, before, CHANGED[run]) if run in CHANGED else Inputs.of(challenge, run)
            inputs.x.requires_grad_(run.endswith("_again"))
            net.record.calls.clear()
            with evidence.attempt(run), watching(evidence, run, net=net, x=inputs.x, t=inputs.t):
                if ode is None:
                    ode = ODE(net=net, guidance_scale=inputs.w, null_label=inputs.null_label)
                if CHANGED.get(run) == "w":
                    ode.guidance_scale = inputs.w
                evidence.put(f"{run}/drift", ode.drift_coefficient(inputs.x, inputs.t, y=inputs.y))
            net.record.report(evidence, f"{run}/net")
            evidence.put(f"{run}/inputs_kept", same_tensors(inputs, before))
    for row in ALIKE:
        with evidence.attempt(f"alike{row}"), watching(evidence, f"alike{row}"):
            inputs, net = Inputs.of(challenge, "wlarge"), StubModel(challenge, "net").eval()
            ode = ODE(net=net, guidance_scale=inputs.w, null_label=inputs.null_label)
            x, t, y = (alike(value, row) for value in (inputs.x, inputs.t, inputs.y))
            evidence.put(f"alike{row}/drift", ode.drift_coefficient(x, t, y=y))
    with other_device(evidence, challenge) as there, watching(evidence, "device"):
        inputs = Inputs.of(there, "single")
        net = StubModel(there, "net", dtype=inputs.x.dtype)
        ode = ODE(net=net, guidance_scale=inputs.w, null_label=inputs.null_label)
        put_device(evidence, ode.drift_coefficient(inputs.x, inputs.t, y=inputs.y))


def require_drift(judge: Judge, run: str, inputs: Inputs) -> Tensor:
    """Return the recorded drift; fail unless the network was called with one time and one label for each image.

    Args:
        judge: The judge of the exercise.
        run: A run of `RUNS`.
        inputs: The inputs of this run.
    """
    judge.attempt(run)
    require_unchanged(judge, f"{run}/inputs_kept")
    drift = judge.tensor(f"{run}/drift", inputs.x.shape, what="The drift")
    if judge.value(f"{run}/net/count", int) == 0:
        judge.fail(*(NOT_CALLED if run in OBJECTS else NOT_CALLED_AGAIN))
    seen = judge.tensor(f"{run}/net/x", what="The x that the network sees")
    judge.require(seen.dim() > 0, "wrong_shape", "The network sees a single number, where a batch was asked for.")
    images = len(seen)
    for name, code, shape in (("t", "time_shape", (images, 1, 1, 1)), ("y", "label_shape", (images,))):
        given = judge.evidence.tensors.get(f"{run}/net/{name}")  # None if the tensors of two calls cannot be joined
        judge.require(
            given is not None and given.shape == shape,
            code,
            f"The network was evaluated at {images} images in all, and for these it takes {name} of the shape "
            f"{shape}: one for each image.",
        )
    judge.require_precision(f"{run}/drift", torch.float32, "The drift")
    require_network_inputs(judge, run, inputs)
    return drift


def require_network_inputs(judge: Judge, run: str, inputs: Inputs) -> None:
    """Fail unless each row that the network saw is a row of x, with its own time, and its own label or the null label.

    Rows may come in any order and any number.
    """
    x, t, y = (judge.tensor(f"{run}/net/{name}", what=f"The {name} that the network sees") for name in ("x", "t", "y"))
    judge.require(
        str(judge.evidence.values.get(f"{run}/net/y.dtype")).startswith("int"),
        "label_dtype",
        "The network is given labels that are not integers. They index an embedding.",
    )
    judge.require(
        x.shape[1:] == inputs.x.shape[1:],
        "wrong_shape",
        f"The network sees an x of shape {tuple(x.shape)}, where x has the shape {tuple(inputs.x.shape)}.",
    )
    distance, row = torch.cdist(x.double().flatten(1), inputs.x.detach().double().flatten(1)).min(dim=1)
    judge.require(
        bool((distance < SAME_INPUT * inputs.x.abs().max()).all()),
        "other_x",
        "The network is evaluated at another x than the one that your method was given in this call.",
    )
    differs = (t.double() - inputs.t.double()[row]).abs() > SAME_INPUT
    ends = (inputs.t.double()[row] - 0.5).abs() > 0.5 - NEAR_END
    judge.require(
        not bool(differs.any()) or bool((differs & ~ends).any()),
        "time_clamped",
        "Near t = 0 or t = 1 the network is evaluated at another time. Pass t on as it is, its ends included.",
    )
    judge.require(
        not bool(differs.any()),
        "other_time",
        "The network is evaluated at another time than the one that belongs to its x. Pass t on as it is.",
    )
    own = inputs.y[row]
    strange = (y != own) & (y != inputs.null_label)
    if bool(strange.any()):
        index = int(strange.nonzero()[0, 0])
        judge.require(
            y[strange].unique().numel() > 1,
            "wrong_null_label",
            f"The network is evaluated with the label {int(y[index])} for samples of other classes. If this is to mean "
            f"'no label', use self.null_label, which is {inputs.null_label} here.",
        )
        judge.fail(
            "other_label",
            f"The network is evaluated with the label {int(y[index])} for a sample whose label is {int(own[index])}. "
            f"Only its own label and self.null_label, which is {inputs.null_label} here, have a meaning.",
        )


def require_drifts(judge: Judge) -> dict[str, Tensor]:
    """Return the drift of every run; fail unless all calls are as the exercise asks, and leave nothing behind."""
    drifts = {run: require_drift(judge, run, Inputs.of(judge.challenge, run)) for run in RUNS}
    require_nothing_left(judge, RUNS)
    return drifts


def require_samples_apart(judge: Judge, drifts: dict[str, Tensor]) -> None:
    """Fail if a sample gets another drift in a batch of its copies."""
    for row in ALIKE:
        require_alike(judge, f"alike{row}/drift", drifts["wlarge"], row, "drift_coefficient")


def require_two_velocities(judge: Judge) -> None:
    """Deduct points if the network was evaluated more than twice for each sample, in however many calls."""
    for run, (_, _, batch) in RUNS.items():
        images = len(judge.tensor(f"{run}/net/x"))
        if images > 2 * batch:
            judge.note(
                "too_many_evaluations",
                f"The drift of {batch} samples is right, but the network was evaluated at {images} images for it. "
                "Two evaluations for each sample are enough.",
                EVALUATIONS_SHARE,
            )
            return


def check(judge: Judge) -> None:
    """Run all requirements, and compare the drift where only one of the two velocities counts."""
    with judge.part("properties", 2):
        drifts = require_drifts(judge)
        wrong = wrong_runs(judge, drifts)
        if wrong and "labelled" not in wrong:
            check_labelled_rows(judge, drifts)
        explain_runs(judge, wrong)
        check_zero(judge, drifts)
        check_one(judge, drifts)
        check_null_rows(judge, drifts)
        check_numbers(judge, wrong)
        require_samples_apart(judge, drifts)
        require_two_velocities(judge)
        judge.device()


def wrong_runs(judge: Judge, drifts: dict[str, Tensor]) -> list[str]:
    """Return the runs in which the drift differs from the oracle's number."""
    wrong = []
    for run, number in PUBLIC_DRIFTS.items():
        inputs = Inputs.of(judge.challenge, run)
        mean = float((drifts[run] * drift_probe(judge.challenge, run)).mean())
        if not abs(mean - number) < MEAN_ROUNDING * (abs(1 - inputs.w) + abs(inputs.w)):
            wrong.append(run)
    return wrong


def explain_runs(judge: Judge, wrong: list[str]) -> None:
    """Fail if the wrong runs, and the right ones, show what the drift depends on and should not."""
    if not wrong:
        return
    judge.require(wrong != ["wnegative_again"], *SCALE_KEPT)
    if all(run.endswith(("_again", "_few")) for run in wrong):
        judge.fail(*KEPT)
    judge.require(wrong != ["far"], *FAR_AWAY)
    judge.require(wrong != ["wide"], *CHANNELS)
    judge.require(wrong != ["labelled"], *NO_NULL_LABEL)
    judge.require(wrong != ["mostly_null"], *MOSTLY_NULL)
    without_null = {"labelled", "one"}
    judge.require(without_null & set(wrong) or not set(wrong) >= set(GUIDED_WITH_NULL), *WITH_NULL)


def check_numbers(judge: Judge, wrong: list[str]) -> None:
    """Fail if the drift of a run differs from the oracle's number."""
    if wrong:
        code, message = wrong_drift(judge.challenge, wrong)
        judge.fail(WRONG_AT.get(wrong[0], code), message)


def drift_probe(challenge: Challenge, run: str) -> Tensor:
    """Return random directions, one for each number of the drift."""
    return challenge.randn(f"{run} drift probe", tuple(Inputs.of(challenge, run).x.shape))


KEPT = (
    "kept_from_earlier_call",
    "The first call of an object is right, and a second call with another x, t or y is not. Compute both velocities "
    "again in every call, and keep none.",
)
SCALE_KEPT = (
    "scale_kept",
    "After `guidance_scale` of an object was changed, its drift is not the one for the new scale. "
    "Read `self.guidance_scale` in every call, and keep no result.",
)
WITH_NULL = (
    "wrong_with_null",
    "The drift is right in batches without a null label, and wrong in those that contain one. "
    "The drift of a sample depends on its own label alone.",
)

NOT_CALLED = "net_not_called", "Your drift does not call `self.net`."
NOT_CALLED_AGAIN = (
    "kept_from_earlier_call",
    "A later call of one object does not call `self.net`. Compute both velocities again in every call, and keep none.",
)

NO_NULL_LABEL = (
    "wrong_without_null",
    "The drift is right in batches that contain a null label, and wrong in one that contains none. "
    "The drift of a sample depends on its own label alone.",
)
MOSTLY_NULL = (
    "wrong_where_most_are_null",
    "The drift is right where one label of a batch is null, and wrong for a batch in which all but one are. "
    "The drift of a sample depends on its own label alone.",
)
CHANNELS = (
    "wrong_for_channels",
    f"The drift is right where x has one channel, and wrong where x has the shape (b, {', '.join(map(str, WIDE))}). "
    "What holds for one channel and pixel holds for all of them.",
)
FAR_AWAY = (
    "wrong_far_away",
    f"The drift is right for ordinary x, and wrong where x is as large as {FAR:g}. Limit nothing.",
)


def wrong_drift(challenge: Challenge, wrong: list[str]) -> tuple[str, str]:
    """Return code and message for a drift that is wrong in some runs, or in all, and that nothing else explains."""
    scales = {run: Inputs.of(challenge, run).w for run in RUNS if run != "all_null"}
    right = {w for run, w in scales.items() if run not in wrong} - {0.0, 1.0}  # there one velocity is enough
    bad = [Inputs.of(challenge, run).w for run in wrong]
    if right:
        return (
            "wrong_drift",
            f"The drift is right in some calls, at w = {in_words(right)}, and wrong in others, at w = {in_words(bad)}. "
            "One formula holds for every w and for every sample.",
        )
    return (
        "wrong_drift",
        f"At w = {bad[0]:.3g} the drift is not the combination of the two velocities that follows from guiding the "
        "score. Write both scores as velocities and collect the terms.",
    )


def in_words(scales: Iterable[float]) -> str:
    """Return the first of some scales, in order, for a message."""
    return shorten(sorted(set(scales)), most=4, form=".3g")


EXERCISE = Exercise(
    "lab4.cfg_drift",
    points=2,
    title="The guided velocity",
    names=("CFGVectorFieldODE",),
    version=10,
    probe=probe,
    public=check,
)
