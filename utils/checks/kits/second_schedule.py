"""Give lab 3's functions two schedules of the same length, one after the other.

A table that is kept from an earlier call shows, and so does a number that is assumed of a schedule, such as pure noise
at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.batches import BATCHES
from utils.checks.kits.schedules import hard_schedule, made_up_schedule
from utils.diffusion import Schedule

FIRST, SECOND = "images", "points"  # two runs of as many steps, one directly after the other


def schedule_of_run(challenge: Challenge, run: str, dtype: torch.dtype | None = None) -> Schedule:
    """Return the schedule of a run of `BATCHES`.

    That of `SECOND` has as many steps as that of `FIRST`, much noise at t = 0 and much of the data at t = T - 1.

    Args:
        challenge: Fixes the numbers and the device.
        run: A key of `BATCHES`.
        dtype: The dtype, if not the run's own.
    """
    batch = BATCHES[run]
    if run == SECOND:
        return made_up_schedule(challenge, dtype or batch.dtype, batch.steps)
    return hard_schedule(challenge, batch.schedule, batch.steps, dtype or batch.dtype)


def call_with_schedules(
    graded: Callable, challenge: Challenge, run: str, arguments: Iterable[Any], evidence: Evidence, name: str
) -> Any:
    """Return the result of a function; in the run `SECOND`, call it with the schedule of `FIRST` before.

    `name/other` is the result of that call.

    Args:
        graded: The student's function.
        challenge: Fixes the schedules.
        run: The run.
        arguments: Those of the run; the last one is its schedule.
        evidence: Takes the result of the call before.
        name: The attempt's name.
    """
    *others, schedule = arguments
    if run == SECOND:
        evidence.put(f"{name}/other", graded(*others, schedule_of_run(challenge, FIRST)))
    return graded(*others, schedule)


def ignores_schedule(judge: Judge, name: str) -> bool:
    """Return whether a function gave the same result with two schedules.

    Args:
        judge: The judge of the exercise.
        name: The attempt of the run `SECOND`.
    """
    value, other = (judge.evidence.tensors.get(f"{name}/{label}") for label in ("value", "other"))
    return value is not None and other is not None and judge.close(value, other)


def require_given_schedule(
    judge: Judge, name: str, run: str, runs: Iterable[str], is_right: Callable[[str], bool]
) -> None:
    """Fail if a run that is wrong is the one with the second schedule, and all others are right.

    Args:
        judge: The judge of the exercise.
        name: The name of the graded function.
        run: The run whose result is wrong.
        runs: All runs.
        is_right: Returns whether the result of a run is right.
    """
    judge.require(
        run != SECOND or not all(is_right(other) for other in runs if other != SECOND),
        "schedule_not_read",
        f"`{name}` is right with one schedule, and wrong with the next one of the same length. Read every "
        "number from the schedule that is given: keep none from an earlier call, and assume none.",
    )
