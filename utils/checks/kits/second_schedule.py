"""Call lab 3's step functions with two schedules of the same length, one after the other.

A table that is kept from an earlier call shows, and so does a number that is assumed of a schedule, such as pure noise
at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.batches import BATCHES, draw_schedule
from utils.checks.kits.copies import copied
from utils.checks.kits.factors import Tensors, agree, combination, sizes
from utils.checks.kits.schedules import made_up_schedule
from utils.checks.kits.step_functions import StepFunction, require_result
from utils.diffusion import Schedule

FIRST, SECOND = "images", "second"  # two runs with the same inputs but for the schedule
AT_0 = "together"  # the run that shows most of what is wrong at t = 0


def batch_of(run: str) -> str:
    """Return the batch whose tensors a run has: a key of `BATCHES`."""
    return FIRST if run == SECOND else run


def schedule_of_run(challenge: Challenge, run: str, dtype: torch.dtype | None = None) -> Schedule:
    """Return the schedule of a run, in its dtype or in another one.

    That of `SECOND` has as many steps as that of `FIRST`, much noise at t = 0 and much of the data at t = T - 1.
    """
    if run != SECOND:
        return draw_schedule(challenge, run, dtype)
    return made_up_schedule(challenge, dtype or BATCHES[FIRST].dtype, BATCHES[FIRST].steps)


def probe_second(student: Any, challenge: Challenge, evidence: Evidence, function: StepFunction) -> None:
    """Call a function with the schedule of `FIRST`, and then with that of `SECOND`."""
    name = f"{SECOND}_{function.label}"
    with evidence.attempt(name):
        inputs = [vars(function.inputs(challenge, run)) for run in (FIRST, SECOND)]
        graded = student.function(function.name, *inputs[0])
        calls = [[copied(value) for value in each.values()] for each in inputs]
        for *others, schedule in calls:
            # Each schedule is freed after its call, so that the next one can have the same id.
            value = graded(*others, Schedule(*schedule))
        evidence.put(f"{name}/value", value)


def require_given_schedule(judge: Judge, function: StepFunction, factors_of: Callable[[str], Tensors]) -> None:
    """Fail if a function is right with the first schedule and wrong with the second one.

    Args:
        judge: The judge of the exercise.
        function: The graded function.
        factors_of: Returns the right factors of a run, (b,) each, by the names of the terms.
    """

    def is_right(run: str) -> bool:
        inputs, factors = function.inputs(judge.challenge, run), factors_of(run)
        tensors = {name: getattr(inputs, name).double() for name in function.terms}
        actual, size = require_result(judge, function, run), sizes(tensors, factors)
        return agree(actual, combination(tensors, factors), size, function.rtol(inputs))

    judge.require(
        not (is_right(FIRST) and is_right(AT_0)) or is_right(SECOND),
        "schedule_not_read",
        f"`{function.name}` is right with one schedule, and wrong with the next one of the same length. Read every "
        "number from the schedule that is given: keep none from an earlier call, and assume none.",
    )
