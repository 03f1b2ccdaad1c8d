"""Exercise 3.6, a DDIM step: `ddim_step`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.batches import BATCHES, draw_batch, draw_steps
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.kits.step_functions import StepFunction, judge_function, probe_function, table
from utils.checks.student import Student
from utils.diffusion import Schedule

# Where the sample at each of the hard steps lands: from t = 0 only the data are left, from t = T - 1 and from t = 1 it
# goes to the data, or to t = 0. Each happens in some run of every challenge.
LANDINGS: dict[str, dict[int, int | None]] = {
    "images": {0: -1, 1: 0, -1: -1},
    "points": {0: -1, 1: -1, -1: 0},
    "square": {0: -1, 1: -1, -1: None},
    "numbers": {0: -1, 1: 0, -1: None},
    "again": {0: -1, 1: 0, -1: 0},
    "single": {0: -1, 1: -1, -1: -1},
    "strided": {0: -1, 1: 0, -1: None},
    "one": {-1: -1},
    "zero": {0: -1},
    "together": {0: -1},
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run. Each sample jumps between two steps of its own."""

    x: Tensor  # (b, …)
    t: Tensor  # (b,) steps, integers
    t_prev: Tensor  # (b,) earlier steps; some are -1, the data
    noise_estimate: Tensor  # (b, …)
    schedule: Schedule

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `BATCHES`."""
        t = draw_steps(challenge, run)
        return cls(
            x=draw_batch(challenge, run, "x"),
            t=t,
            t_prev=draw_landings(challenge, run, t),
            noise_estimate=draw_batch(challenge, run, "noise_estimate"),
            schedule=schedule_of_run(challenge, run),
        )


def draw_landings(challenge: Challenge, run: str, t: Tensor) -> Tensor:
    """Return an earlier step for each sample: fixed ones for the hard steps, and uniform ones from -1 on.

    A last sample with a random step goes neither to the data nor to t = 0. So a batch and its reverse begin
    differently, and not all samples of a batch land at special steps.
    """
    share = challenge.rand(f"{run} landing", tuple(t.shape))
    t_prev = (share * (t + 1)).long() - 1
    for position, hard in enumerate(BATCHES[run].hard):
        landing = LANDINGS[run][hard]
        if landing is not None:
            t_prev[position] = landing
    if len(t_prev) > len(BATCHES[run].hard):
        t_prev[-1] = t_prev[-1].clamp(min=1)
    return t_prev


STEP = StepFunction("step", "ddim_step", ("x", "noise_estimate"), Inputs.of, "The new x", differentiable=True)


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call the function on batches of several shapes, and with two schedules of one length."""
    probe_function(student, challenge, evidence, STEP)


def check(judge: Judge) -> None:
    """Judge the public challenge by the factors below."""
    with judge.part("step", 2):
        judge_function(judge, STEP, table(FACTORS))


# The right factors of each sample. From the oracle in tests/exercises/lab3: data and noise behind x, mixed again.
FACTORS: dict[str, dict[str, tuple[float, ...]]] = {
    "images": {
        "x": (1.0000403, 192.53155, 1.1695797, 95.211417, 1.9549211, 24.570055),
        "noise_estimate": (-0.0089821659, -192.52895, -0.59764613, -95.206165, -0.9919512, -24.036504),
    },
    "points": {
        "x": (2.1513964, 1.1241375, 1.2067751, 1.3309614, 1.3844172),
        "noise_estimate": (-1.5020724, -0.51350279, -0.67550435, -0.8783269, -0.53190727),
    },
    "square": {
        "x": (1.1696269, 164.60937, 1.0000403, 10.825871, 2.2695685),
        "noise_estimate": (-0.60665241, -164.08848, -0.0089821659, -9.8929841, -1.5836987),
    },
    "numbers": {
        "x": (1.1695797, 1.0000403, 72.528928, 81.403236, 43.582822),
        "noise_estimate": (-0.59764613, -0.0089821659, -71.601619, -80.880074, -43.055763),
    },
    "again": {
        "x": (223.02577, 1.2744458, 1.0000419, 46.308413, 3.3404424, 4.9859623),
        "noise_estimate": (-223.01437, -0.78096534, -0.0091591285, -46.297614, -2.3491933, -4.3038642),
    },
    "single": {
        "x": (1.0000478, 1.0001133, 250.36428, 1.0372306, 2.3024527, 1.4120236, 18.32365, 3.92994),
        "noise_estimate": (
            -0.0097806824,
            -0.015050959,
            -250.36228,
            -0.081839652,
            -1.4246351,
            -0.48823808,
            -17.328123,
            -3.725443,
        ),
    },
    "strided": {
        "x": (1.1695797, 1.0000403, 192.53155, 61.272539, 8.5740828),
        "noise_estimate": (-0.59764613, -0.0089821659, -192.52895, -60.503749, -8.0126773),
    },
    "one": {"x": (223.03512,), "noise_estimate": (-223.03288,)},
    "zero": {"x": (1.0000403,), "noise_estimate": (-0.0089821659,)},
    "together": {
        "x": (1.0000403, 1.0000403, 1.0000403),
        "noise_estimate": (-0.0089821659, -0.0089821659, -0.0089821659),
    },
}

EXERCISE = Exercise(
    "lab3.ddim_step",
    points=2,
    title="Large steps without noise",
    names=("ddim_step",),
    probe=probe,
    public=check,
    version=8,
)
