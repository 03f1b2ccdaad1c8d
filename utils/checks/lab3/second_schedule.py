"""A second schedule with as many steps as the first: a table shows that is kept under the length of its schedule."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.batches import BATCHES, draw_schedule
from utils.checks.kits.copies import copied
from utils.checks.kits.schedules import made_up_schedule
from utils.checks.kits.step_functions import StepFunction
from utils.checks.student import Student
from utils.diffusion import Schedule

SECOND = "points"  # the run with the second schedule; "images", whose schedule is as long, comes directly before
SHORT_TYPES = torch.float16, torch.bfloat16
MANY = 10  # so many different numbers are not all short by chance
KEPT = (
    "schedule_kept",
    "With a second schedule that has as many steps, `{name}` returns the numbers of the first. "
    "The schedule is an argument: keep nothing of it from one call to the next.",
)


def schedule_of_run(challenge: Challenge, run: str, dtype: torch.dtype | None = None) -> Schedule:
    """Return the schedule of a run of `BATCHES`.

    That of `SECOND` is as long as that of the run before it, and leaves much of the data at its end.

    Args:
        challenge: Fixes the numbers and the device.
        run: A key of `BATCHES`.
        dtype: The dtype, if not the run's own.
    """
    if run != SECOND:
        return draw_schedule(challenge, run, dtype)
    return made_up_schedule(challenge, dtype or BATCHES[run].dtype, BATCHES[run].steps)


def probe_first_schedule(student: Student, challenge: Challenge, evidence: Evidence, function: StepFunction) -> None:
    """Call a function on the batch of `SECOND` with the first schedule."""
    name = f"first_{function.label}"
    with evidence.attempt(name):
        arguments = function.arguments(challenge, SECOND) | {"schedule": draw_schedule(challenge, SECOND)}
        graded = student.function(function.name, *arguments)
        evidence.put(f"{name}/value", graded(*map(copied, arguments.values())))


def explain_habits(
    judge: Judge, function: StepFunction, run: str, actual: Tensor, same: Callable[[Tensor], bool]
) -> None:
    """Fail if a wrong result belongs to the first schedule, or has the digits of a half-precision number.

    Args:
        judge: The judge of the exercise.
        function: The graded function.
        run: The run.
        actual: The wrong result.
        same: Whether a tensor is the wrong result.
    """
    kept = run == SECOND and same(judge.tensor(f"first_{function.label}/value", finite=False))
    judge.require(not kept, KEPT[0], KEPT[1].format(name=function.name))
    require_digits(judge, actual, f"The result of `{function.name}`")


def require_digits(judge: Judge, actual: Tensor, what: str) -> None:
    """Fail if numbers, in float64, all have the few digits of a half-precision number."""
    short = any(torch.equal(actual.to(dtype).double(), actual) for dtype in SHORT_TYPES)
    judge.require(
        not short or actual.unique().numel() < MANY,
        "few_digits",
        f"{what} has the three digits of a half-precision number. Keep all numbers in float32 at least.",
    )
