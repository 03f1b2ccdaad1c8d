"""Exercise 3.5, guided noise and a DDPM step: `guided_noise` and `ddpm_step`."""

from __future__ import annotations

from dataclasses import dataclass

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

SCALES = {"images": 3.0, "points": 1.0, "square": 0.0, "one": 2.0, "single": 1.5, "strided": -0.5}  # run: w


@dataclass(frozen=True)
class GuidanceInputs:
    """The inputs of `guided_noise` in one run."""

    noise_estimate: Tensor  # (b, …)
    gradient: Tensor  # (b, …)
    t: Tensor  # (b,) steps, integers
    w: float
    schedule: Schedule

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> GuidanceInputs:
        """Return the inputs of a run of `BATCHES`."""
        return cls(
            noise_estimate=draw_batch(challenge, run, "noise_estimate"),
            gradient=draw_batch(challenge, run, "gradient"),
            t=draw_steps(challenge, run),
            w=SCALES[run],
            schedule=made_up_schedule(challenge, BATCHES[run].dtype),
        )


@dataclass(frozen=True)
class StepInputs:
    """The inputs of `ddpm_step` in one run."""

    x: Tensor  # (b, …)
    t: Tensor  # (b,) steps, integers
    noise_estimate: Tensor  # (b, …)
    noise: Tensor  # (b, …)
    schedule: Schedule

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> StepInputs:
        """Return the inputs of a run of `BATCHES`."""
        return cls(
            x=draw_batch(challenge, run, "x"),
            t=draw_steps(challenge, run),
            noise_estimate=draw_batch(challenge, run, "noise_estimate"),
            noise=draw_batch(challenge, run, "noise"),
            schedule=made_up_schedule(challenge, BATCHES[run].dtype),
        )


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call both functions on batches of several shapes, with several scales."""
    for run in BATCHES:
        with evidence.attempt(f"{run}_guided"):
            guided_noise = student.function("guided_noise", "noise_estimate", "gradient", "t", "w", "schedule")
            call_with_copies(evidence, f"{run}_guided", guided_noise, vars(GuidanceInputs.of(challenge, run)))
        with evidence.attempt(f"{run}_step"):
            ddpm_step = student.function("ddpm_step", "x", "t", "noise_estimate", "noise", "schedule")
            call_with_copies(evidence, f"{run}_step", ddpm_step, vars(StepInputs.of(challenge, run)))
    with evidence.attempt("device"):
        student["guided_noise"](**vars(GuidanceInputs.of(challenge.on("meta"), "single")))
        student["ddpm_step"](**vars(StepInputs.of(challenge.on("meta"), "single")))


def require_guided(judge: Judge, run: str) -> Tensor:
    """Return the guided noise estimate of a run; fail unless it has the shape of the inputs."""
    return judge.tensor(f"{run}_guided/value", BATCHES[run].shape, "The guided noise estimate")


def require_step(judge: Judge, run: str) -> Tensor:
    """Return the new x of a run; fail unless it has the shape of x."""
    return judge.tensor(f"{run}_step/value", BATCHES[run].shape, "The new x")


def check(judge: Judge) -> None:
    """Judge the public challenge by known properties, and by the projections below."""
    with judge.part("guided", 1):
        for run in BATCHES:
            guided = require_guided(judge, run)
            require_unchanged(judge, f"{run}_guided/inputs_kept")
            judge.require(
                SCALES[run] != 0 or judge.close(guided, GuidanceInputs.of(judge.challenge, run).noise_estimate),
                "not_plain_at_zero",
                "At w = 0 your result differs from the noise estimate. Without guidance nothing may change.",
            )
        for run, batch in BATCHES.items():
            require_projection(
                judge, f"{run}_guided", require_guided(judge, run), GUIDED[run],
                ("wrong_guidance", f"Your estimate does not belong to the score s + w g (seen {batch.where}). "
                 "Convert both to scores with exercise 3.2 and compare."),
            )  # fmt: skip
    with judge.part("step", 2):
        for run in BATCHES:
            require_step(judge, run)
            require_unchanged(judge, f"{run}_step/inputs_kept")
        for run, batch in BATCHES.items():
            require_projection(
                judge, f"{run}_step", require_step(judge, run), STEPS[run],
                ("wrong_step", f"Your step is not the one in the text (seen {batch.where}). Try it with noise 0, then "
                 "with noise_estimate 0, to see which term is off; at t = 0 no noise is added."),
            )  # fmt: skip
        judge.device()


# From the oracle in tests/exercises/lab3: automatic differentiation, and conditioning of Gaussians.
GUIDED = {
    "images": 0.1253561,
    "points": 0.1738379,
    "square": -0.0368024,
    "one": -0.6413468,
    "single": 0.1205046,
    "strided": -0.0124293,
}
STEPS = {
    "images": 0.0110383,
    "points": 0.3792876,
    "square": -0.2517540,
    "one": -0.1035600,
    "single": 0.0350117,
    "strided": 0.0556644,
}

EXERCISE = Exercise(
    "lab3.guided_ddpm_step",
    points=3,
    title="One guided step towards the data",
    names=("guided_noise", "ddpm_step"),
    probe=probe,
    public=check,
    version=2,
)
