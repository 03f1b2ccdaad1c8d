"""Exercise 3.6, a DDIM step: `ddim_step`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.batches import BATCHES, draw_batch, draw_steps
from utils.checks.kits.copies import call_with_copies
from utils.checks.kits.projections import require_projection
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.schedules import made_up_schedule
from utils.checks.student import Student
from utils.diffusion import Schedule

LONGEST_JUMP = 11


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run. Each sample jumps between two steps of its own."""

    x: Tensor  # (b, …)
    t: Tensor  # (b,) steps, integers
    t_prev: Tensor  # (b,) earlier steps; some are -1, the data, and sample 3 lands on 0
    noise_estimate: Tensor  # (b, …)
    schedule: Schedule

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `BATCHES`."""
        t = draw_steps(challenge, run)
        jump = challenge.randint(f"{run} jump", 1, LONGEST_JUMP + 1, t.shape)
        t_prev = (t - jump).clamp(min=-1)
        t_prev = torch.where(torch.arange(len(t), device=t.device) == 2, torch.full_like(t_prev, -1), t_prev)
        if len(t) > 3:
            t[3], t_prev[3] = t[3].clamp(min=1), 0
        return cls(
            x=draw_batch(challenge, run, "x"),
            t=t,
            t_prev=t_prev,
            noise_estimate=draw_batch(challenge, run, "noise_estimate"),
            schedule=made_up_schedule(challenge, BATCHES[run].dtype),
        )


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call the function on batches of several shapes."""
    ddim_step = student.function("ddim_step", "x", "t", "t_prev", "noise_estimate", "schedule")
    for run in BATCHES:
        call_with_copies(evidence, run, ddim_step, vars(Inputs.of(challenge, run)))
    with evidence.attempt("device"):
        ddim_step(**vars(Inputs.of(challenge.on("meta"), "single")))


def require_step(judge: Judge, run: str) -> Tensor:
    """Return the new x of a run; fail unless it has the shape of x."""
    return judge.tensor(f"{run}/value", BATCHES[run].shape, "The new x")


def check(judge: Judge) -> None:
    """Judge the public challenge by the projections below."""
    with judge.part("step", 2):
        for run in BATCHES:
            require_step(judge, run)
            require_unchanged(judge, f"{run}/inputs_kept")
        for run, batch in BATCHES.items():
            require_projection(
                judge, run, require_step(judge, run), PROJECTIONS[run],
                ("wrong_step", "Your new x does not have the data and the noise that x and the estimate imply "
                 f"(seen {batch.where}). Compute that x_0 first, then mix it with the estimate again. "
                 "At t_prev = -1 no noise is left."),
            )  # fmt: skip
        judge.device()


# From the oracle in tests/exercises/lab3: the data and the noise behind x, mixed again.
PROJECTIONS = {
    "images": 0.3005873,
    "points": 0.1619668,
    "square": -0.4854003,
    "one": -0.3439272,
    "single": -0.1766984,
    "strided": -0.0587748,
}

EXERCISE = Exercise(
    "lab3.ddim_step",
    points=2,
    title="Large steps without noise",
    names=("ddim_step",),
    probe=probe,
    public=check,
    version=2,
)
