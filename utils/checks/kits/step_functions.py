"""Probe and judge functions of lab 3 that are linear in their tensors and look up a schedule at each sample's step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.batches import BATCHES
from utils.checks.kits.copies import copied, unchanged
from utils.checks.kits.factors import Place, Tensors, agree, agreeing, combination, finding_of, rows_of, sizes
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.second_schedule import SECOND, call_with_schedules, ignores_schedule, require_given_schedule

RTOL = 1e-4  # float32 rounds a sum to 1e-6 of its largest term; a constant of 1e-6 beside a sigma is let through, too
# float32 rounds 1 - alpha_bar to this. So a sigma loses digits where hardly any noise is, and so does each factor of a
# step that is written with the posterior mean, as in published code.
FLAT = 1e-7
WEAK = ("imprecise", "wrong_here")  # codes of findings that say little, the better one first
NO_FACTORS = ("not_a_sum", "clamped")  # codes of findings that say more than at which step a result is wrong
NO_SCHEDULE = ("_full", "_missing")  # ends of codes that say more than that the schedule is not read

Inputs = Any  # a dataclass with the arguments of a function, in their order; it has `t` and `schedule`


@dataclass(frozen=True)
class StepFunction:
    """A graded function of tensors, steps and a schedule.

    Args:
        label: Names its results in the evidence.
        name: Its name in the notebook.
        terms: The arguments of which the result is a sum.
        inputs: Makes the inputs of a run from the challenge.
        what: How messages call the result.
        differentiable: Call it with tensors that require gradients, too.
        batches: The runs.
    """

    label: str
    name: str
    terms: tuple[str, ...]
    inputs: Callable[[Challenge, str], Inputs]
    what: str
    differentiable: bool = False
    batches: tuple[str, ...] = tuple(BATCHES)

    def arguments(self, challenge: Challenge, run: str) -> dict[str, object]:
        """Return the arguments of a run by name: a batch, `reversed`, or `repeat`."""
        batch = run if run in BATCHES else self.batches[0]
        values = dict(vars(self.inputs(challenge, batch)))
        if run == "reversed":
            size = BATCHES[batch].shape[0]
            values = {
                k: v.flip(0) if isinstance(v, Tensor) and v.shape[:1] == (size,) else v for k, v in values.items()
            }
        return values

    def tensors(self, challenge: Challenge, run: str) -> dict[str, Tensor]:
        """Return the terms of a run in float64."""
        inputs = self.inputs(challenge, run)
        return {name: getattr(inputs, name).double() for name in self.terms}

    def rtol(self, inputs: Inputs) -> Tensor:
        """Return the tolerance of each sample, relative to its largest term."""
        return RTOL + FLAT / (1 - inputs.schedule.alpha_bars.double()[inputs.t])


def probe_function(student: Any, challenge: Challenge, evidence: Evidence, function: StepFunction) -> None:
    """Call a function on all batches, on the first one reversed and again, and on another device."""
    for run in (*function.batches, "reversed", "repeat"):
        name = f"{run}_{function.label}"
        with evidence.attempt(name):
            arguments = function.arguments(challenge, run)
            graded = student.function(function.name, *arguments)
            copies = {key: copied(value) for key, value in arguments.items()}
            if function.differentiable and run == "points":
                copies[function.terms[0]].requires_grad_()
            tensors = {key: value for key, value in copies.items() if isinstance(value, Tensor)}
            with watching(evidence, name, **tensors):
                evidence.put(
                    f"{name}/value", call_with_schedules(graded, challenge, run, copies.values(), evidence, name)
                )
            evidence.put(f"{name}/inputs_kept", unchanged(copies.values(), arguments.values()))

    name = f"device_{function.label}"
    with other_device(evidence, challenge, name) as there:
        arguments = function.arguments(there, "single")
        put_device(evidence, student[function.name](*arguments.values()), name)


def require_result(judge: Judge, function: StepFunction, run: str) -> Tensor:
    """Return the result of a run; fail unless it is a tensor of the right shape, with the digits of float32."""
    name = f"{run}_{function.label}/value"
    what = f"{function.what} of `{function.name}`"
    if judge.kind(name) == "array":
        judge.fail("not_a_tensor", f"{what} is a NumPy array, where a tensor was asked for.")
    value = judge.tensor(name, BATCHES[run if run in BATCHES else function.batches[0]].shape, what)
    judge.require_precision(name, torch.float32, what)
    return value


def require_sound(judge: Judge, function: StepFunction) -> None:
    """Fail unless all results have the right form, and depend on the given inputs of their own sample alone."""
    runs = (*function.batches, "reversed", "repeat")
    for run in runs:
        require_result(judge, function, run)
        require_unchanged(judge, f"{run}_{function.label}/inputs_kept")
    require_nothing_left(judge, [f"{run}_{function.label}" for run in runs])
    first = require_result(judge, function, function.batches[0])
    judge.require(
        judge.close(require_result(judge, function, "repeat"), first, 1e-6),
        "not_repeatable",
        f"Two calls of `{function.name}` with the same inputs gave two different results. "
        "It draws no random numbers, and keeps nothing from an earlier call.",
    )
    judge.require(
        judge.close(require_result(judge, function, "reversed").flip(0), first, 1e-5),
        "samples_mixed",
        f"With the samples in another order, `{function.name}` gives them other results. "
        "Each result may depend on its own sample and its own t only: not on the first t, on the whole batch, "
        "or on an earlier call.",
    )


def places_of(inputs: Inputs) -> list[Place]:
    """Return the samples at special steps."""
    t, last = inputs.t.cpu(), inputs.schedule.steps - 1
    places = [Place("0", "at t = 0", t == 0), Place("last", "at t = T - 1", t == last)]
    if hasattr(inputs, "t_prev"):
        t_prev = inputs.t_prev.cpu()
        places[0] = Place("0", "at t = 0, where t_prev is -1", t == 0)
        data = [Place("data", "at t_prev = -1", t_prev == -1), Place("prev_0", "at t_prev = 0", t_prev == 0)]
        places = data + places
    return places


def right_samples(judge: Judge, function: StepFunction, run: str, factors: Tensors) -> Tensor:
    """Return which samples of a run have the right factors, (b,) each."""
    inputs, tensors = function.inputs(judge.challenge, run), function.tensors(judge.challenge, run)
    actual, size = require_result(judge, function, run), sizes(tensors, factors)
    return agreeing(actual, combination(tensors, factors), size, function.rtol(inputs))


def require_right_elsewhere(
    judge: Judge, function: StepFunction, factors_of: Callable[[str], Tensors], found: str
) -> None:
    """Fail if all wrong samples of all runs are at one special step, and the finding of one run does not name it.

    Args:
        judge: The judge of the exercise.
        function: The graded function.
        factors_of: Returns the right factors of a run.
        found: The code of that finding.
    """
    wrong = torch.cat([~right_samples(judge, function, run, factors_of(run)) for run in function.batches])
    of_runs = [places_of(function.inputs(judge.challenge, run)) for run in function.batches]
    places = [Place(p[0].code, p[0].words, torch.cat([place.rows for place in p])) for p in zip(*of_runs)]
    around = [place for place in places if not bool((wrong & ~place.rows).any())]
    if around:
        place = min(around, key=lambda place: int(place.rows.sum()))
        judge.require(
            any(found.endswith(f"_at_{named.code}") and not bool((named.rows & ~place.rows).any()) for named in places),
            f"wrong_at_{place.code}",
            f"`{function.name}` is right except {place.words}: there it is wrong in {int(wrong.sum())} of "
            f"{int(place.rows.sum())} samples.",
        )


def judge_function(
    judge: Judge,
    function: StepFunction,
    factors_of: Callable[[str], Tensors],
    explain: Callable[[str, Tensor, Callable[[Tensor], bool]], None] | None = None,
) -> None:
    """Fail unless the function's results are right. The check and the grader both call this.

    Args:
        judge: The judge of the exercise.
        function: The graded function.
        factors_of: Returns the right factors of a run, (b,) each, by the names of the terms.
        explain: Fails with a known mistake that explains a wrong result of a run, if there is one. Its last argument
            tells whether a tensor is what the student's code returned.
    """
    require_sound(judge, function)
    weak: dict[str, str] = {}  # findings that another batch may replace by one that says more
    for run in function.batches:
        factors = factors_of(run)
        if bool(right_samples(judge, function, run, factors).all()):
            continue
        inputs, tensors = function.inputs(judge.challenge, run), function.tensors(judge.challenge, run)
        actual, size, rtol = require_result(judge, function, run), sizes(tensors, factors), function.rtol(inputs)
        if explain is not None:

            def same(wrong: Tensor, actual: Tensor = actual, size: Tensor = size, rtol: Any = rtol) -> bool:
                largest = torch.maximum(size, wrong.double().reshape(len(wrong), -1).abs().amax(1))
                return wrong.shape == actual.shape and agree(actual, wrong, largest, 2 * rtol)

            explain(run, actual, same)
        require_given_schedule(
            judge, function.name, run, function.batches,
            lambda run: bool(right_samples(judge, function, run, factors_of(run)).all()),
        )  # fmt: skip
        require_no_effect(judge, run, actual, tensors, factors)
        finding = finding_of(actual, tensors, factors, places_of(inputs), BATCHES[run].where)
        judge.require(
            finding[0].endswith(NO_SCHEDULE) or not ignores_schedule(judge, f"{SECOND}_{function.label}"),
            "schedule_not_read",
            f"With another schedule of the same length, `{function.name}` gives the same result. "
            "The right result depends on the numbers of the given schedule: neither make a schedule, nor keep one from "
            "an earlier call.",
        )
        if finding[0] not in WEAK:
            if finding[0] not in NO_FACTORS:
                require_right_elsewhere(judge, function, factors_of, finding[0])
            judge.fail(*finding)
        weak.setdefault(*finding)
    for code in WEAK:
        judge.require(code not in weak, code, weak.get(code, ""))
    judge.device(f"device_{function.label}")


def require_no_effect(judge: Judge, run: str, actual: Tensor, tensors: Tensors, factors: Tensors) -> None:
    """Fail if a wrong result differs from the right one by a term whose factor should be 0 in all samples.

    Args:
        judge: The judge of the exercise.
        run: The run.
        actual: The wrong result, (b, …).
        tensors: The terms, (b, …) each.
        factors: The right factors, (b,) each.
    """
    error = rows_of(actual - combination(tensors, factors))
    for name in (name for name, factor in factors.items() if not bool(factor.any())):
        term = rows_of(tensors[name])
        own = (error * term).sum(1) / term.square().sum(1)
        judge.require(
            not judge.close(error, own[:, None] * term, RTOL, RTOL),
            f"{name}_not_0",
            f"The factor of `{name}` should be 0 {BATCHES[run].where}, and is {float(own[own.abs().argmax()]):.2g}.",
        )


def table(numbers: Mapping[str, Mapping[str, tuple[float, ...]]]) -> Callable[[str], dict[str, Tensor]]:
    """Return the function that looks up the factors of a run in a table of an exercise."""

    def factors_of(run: str) -> dict[str, Tensor]:
        return {name: torch.tensor(values, dtype=torch.float64) for name, values in numbers[run].items()}

    return factors_of
