"""Requirements on how the steps of exercise 4.4 evaluate the drift: how often, where, when and with which arguments."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.lab4.euler_heun_inputs import Inputs

ORDERS = {"euler": 1, "heun": 2}  # the order of a method, and the slopes that its step needs
SAME_TIME = 1e-5  # the drift's time may have gone through float32, and may not be changed more
LABELS_LOST = (
    "The labels y do not reach every call of the drift. "
    "Pass all keyword arguments on: `drift_coefficient(x, t, **kwargs)`."
)


def require_keywords(judge: Judge, name: str, inputs: Inputs) -> None:
    """Fail unless every evaluation of the drift got all keyword arguments as they are."""
    if judge.value(f"{name}/drift/count", int) == 0:
        return
    states, labels, context = (judge.evidence.tensors.get(f"{name}/drift/{key}") for key in ("x", "y", "context"))
    rows = len(states) if states is not None and states.dim() else 0
    judge.require(labels is not None and labels.numel() >= rows, "labels_lost", LABELS_LOST)
    judge.require(
        context is not None and context.numel() >= rows,
        "keywords_lost",
        "The labels reach the drift, but another keyword argument does not. Pass all of them on with `**kwargs`.",
    )
    judge.require(
        judge.value(f"{name}/drift/plain_kept", bool),
        "keywords_changed",
        "Tensors among the keyword arguments reach the drift, but a number or `None` does not reach it as it is. "
        "Pass every argument on unchanged.",
    )
    given = {"y": inputs.y, "context": inputs.context}
    judge.require(
        all(judge.evidence.tensors[f"{name}/drift/{key}"].dtype == tensor.dtype for key, tensor in given.items()),
        "keywords_changed",
        "A tensor among the keyword arguments reaches the drift with another dtype. Pass every argument on unchanged.",
    )


def require_slopes(judge: Judge, short: str, run: str, inputs: Inputs) -> None:
    """Fail unless a step evaluates enough slopes, each with its labels and at a time that belongs to the method."""
    name, slopes = f"{short}_{run}", ORDERS[short]
    calls = judge.value(f"{name}/drift/count", int)
    judge.require(
        calls >= slopes,
        "drift_calls",
        f"One step needs {slopes} slope(s), but yours evaluates the drift {calls} times.",
    )
    times = judge.tensor(f"{name}/drift/t", what="The time that reaches the drift")
    labels = judge.tensor(f"{name}/drift/y", what="The labels that reach the drift").reshape(-1)
    states = judge.tensor(f"{name}/drift/x", what="The state that reaches the drift")
    batch = len(inputs.x)
    if len(times) != calls * batch or len(labels) != len(times) or len(states) != len(times):
        return  # evaluated in parts: the new state will tell
    judge.require(torch.equal(labels, inputs.y.repeat(len(times) // batch)), "labels_lost", LABELS_LOST)
    t, h = inputs.t.double(), inputs.h.double()
    slots = [t] if short == "euler" else [t, t + h]
    parts = [part.double() for part in times.split(batch)]
    wrong = [part for part in parts if not any(bool(((part - slot).abs() < SAME_TIME).all()) for slot in slots)]
    if wrong and short == "euler":
        judge.require(
            len(parts) == 1,
            "one_slope",
            "Euler's step has one slope, at the time where the step starts. Yours evaluates the drift at another time, "
            "too.",
        )
        judge.fail(
            "other_time",
            "Euler's slope belongs to the point and the time where the step starts. Yours was evaluated at another "
            "time.",
        )
    if wrong:
        middle = bool(((wrong[0] - t - h / 2).abs() < SAME_TIME).all())
        judge.require(
            not middle,
            "midpoint",
            "Your second slope belongs to the middle of the step. This is the midpoint method, not Heun's.",
        )
        judge.fail("slope_between", "A slope is evaluated at a time that is neither the start nor the end of the step.")
    if short == "heun":
        require_look_ahead(judge, parts, [part.double() for part in states.split(batch)], inputs)


def require_look_ahead(judge: Judge, times: list[Tensor], states: list[Tensor], inputs: Inputs) -> None:
    """Fail unless Heun's step evaluates the drift at the end of the step, and at another place than the start."""
    x, t, end = inputs.x.detach().double(), inputs.t.double(), (inputs.t + inputs.h).double()
    ends = [i for i, time in enumerate(times) if bool(((time - end).abs() < SAME_TIME).all())]
    starts = [i for i, time in enumerate(times) if bool(((time - t).abs() < SAME_TIME).all())]
    judge.require(
        ends,
        "second_slope_at_t",
        "All slopes are evaluated at time t. The second one belongs to the end of the trial step, also in time.",
    )
    judge.require(starts, "first_slope_missing", "No slope is evaluated at time t, where the step starts.")
    judge.require(
        any(not judge.close(states[i], x, SAME_TIME) for i in ends),
        "second_slope_at_x",
        "The second slope is evaluated at the end of the step in time, but still at the old state x.",
    )
