"""Exercise 3.1, schedule and noise: `linear_schedule`, `add_noise` and `three_sigmas`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.batches import draw_batch, draw_steps
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.requirements import require_float32_digits
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.kits.step_functions import StepFunction, judge_function, probe_function, table
from utils.checks.lab3.three_sigmas import judge_sigmas, probe_sigmas
from utils.checks.student import Student
from utils.diffusion import Schedule

LENGTHS = {"long": 1000, "short": 37, "shortest": 2, "again": 1000}  # attempt: the T of `linear_schedule`
FIELDS = Schedule._fields
FIRST, LAST = 1e-4, 0.02  # the betas of the text
ROUNDING = 1e-6  # float32 rounds a number near 1 to 6e-8; the running product of 1,000 of them to 1e-5 of itself
PRODUCT_ROUNDING = 1e-3


@dataclass(frozen=True)
class Inputs:
    """The inputs of `add_noise` in one run."""

    x0: Tensor  # (b, …) data
    t: Tensor  # (b,) steps, integers
    noise: Tensor  # (b, …)
    schedule: Schedule

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `BATCHES`."""
        return cls(
            x0=draw_batch(challenge, run, "x0"),
            t=draw_steps(challenge, run),
            noise=draw_batch(challenge, run, "noise"),
            schedule=schedule_of_run(challenge, run),
        )


NOISE = StepFunction("noised", "add_noise", ("x0", "noise"), Inputs.of, "The noised sample")


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Make schedules; then noise batches and look up sigmas on others."""
    for name, steps in LENGTHS.items():
        with evidence.attempt(name):
            linear_schedule = student.function("linear_schedule", "T")
            with watching(evidence, name):
                schedule = linear_schedule(steps)
            betas, alphas, alpha_bars = schedule
            for field, values in zip(FIELDS, (betas, alphas, alpha_bars)):
                evidence.put(f"{name}/{field}", values)
            evidence.put(f"{name}/is_schedule", is_schedule(schedule, steps))
    probe_function(student, challenge, evidence, NOISE)
    probe_sigmas(student, challenge, evidence)


def is_schedule(thing: object, steps: int) -> bool:
    """Return whether an object can be used as the lab uses a `Schedule`."""
    named = all(isinstance(getattr(thing, field, None), Tensor) for field in FIELDS)
    return named and getattr(thing, "steps", None) == steps and callable(getattr(thing, "to", None))


def require_schedule(judge: Judge, name: str) -> dict[str, Tensor]:
    """Return the three fields of a schedule; fail unless each is a tensor of shape (T,), in a `Schedule`."""
    fields = {}
    for field in FIELDS:
        what = f"The field `{field}`"
        if judge.kind(f"{name}/{field}") == "array":
            judge.fail("not_a_tensor", f"{what} is a NumPy array, where a tensor was asked for.")
        fields[field] = judge.tensor(f"{name}/{field}", (LENGTHS[name],), what)
        judge.require_precision(f"{name}/{field}", torch.float32, what)
        judge.require(
            not judge.evidence.values.get(f"{name}/{field}.requires_grad"),
            "graph_kept",
            f"{what} requires gradients, and so would everything that is computed with it. Nothing in a schedule is "
            "trained.",
        )
    judge.require(
        judge.value(f"{name}/is_schedule", bool),
        "not_a_schedule",
        "Your function returns three tensors, but not in a `Schedule`: later cells read `schedule.alpha_bars`, "
        "`schedule.steps` and `schedule.to(device)`. Return `Schedule(betas, alphas, alpha_bars)`.",
    )
    return fields


def require_betas(judge: Judge, betas: Tensor) -> None:
    """Fail unless the betas rise from the first to the last in equal steps."""
    first, last = float(betas[0]), float(betas[-1])
    judge.require(first < last, "betas_fall", "Your betas fall. The first step, t = 0, adds the least noise.")
    judge.require(
        abs(first / FIRST - 1) < 1e-3,
        "first_beta",
        f"Your first beta is {first:.6g}, and should be {FIRST:g} for T = {len(betas)}.",
    )
    judge.require(
        abs(last / LAST - 1) < 1e-4,
        "last_beta",
        f"Your last beta is {last:.6g}, and should be {LAST:g} for T = {len(betas)}: both ends are included.",
    )
    spacing = betas.diff()
    judge.require(
        (spacing - spacing.mean()).abs().max() < 1e-3 * float(spacing.mean()) + 1e-7,
        "not_equally_spaced",
        "Your betas start and end where they should, but they are not equally spaced in between.",
    )


def require_products(judge: Judge, alphas: Tensor, alpha_bars: Tensor) -> None:
    """Fail unless the alpha_bars are the running products of the alphas."""
    require_float32_digits(judge, alpha_bars, "The field `alpha_bars`")
    judge.require(
        abs(float(alpha_bars[0]) - 1) > ROUNDING,
        "bars_start_at_1",
        "Your first alpha_bar is 1: nothing has been added to the data there. The product at t includes step t itself.",
    )
    judge.require(
        abs(float(alpha_bars[0] - alphas[0])) < ROUNDING,
        "first_bar",
        f"Your first alpha_bar is {float(alpha_bars[0]):.6g}. Only step 0 has acted there: "
        f"it should be the first alpha, {float(alphas[0]):.6g}.",
    )
    judge.require(
        (alpha_bars.diff() < 0).all(),
        "bars_do_not_fall",
        "Your alpha_bars do not fall from step to step. Each step adds noise, so each leaves less of the data.",
    )
    ratios = alpha_bars[1:] / alpha_bars[:-1]
    wrong = (ratios - alphas[1:]).abs() > PRODUCT_ROUNDING * alphas[1:] * (1 - alphas[1:]) + 3 * ROUNDING
    at = int(wrong.double().argmax()) + 1
    judge.require(
        not bool(wrong.any()),
        "not_products",
        f"From t = {at - 1} to {at} your alpha_bar is multiplied by {float(ratios[at - 1]):.6g}, and the alpha of "
        f"that step is {float(alphas[at]):.6g}: alpha_bar is the product of all alphas up to t.",
    )


def judge_schedules(judge: Judge) -> None:
    """Fail unless all schedules are right. The check and the grader both call this: the text gives all numbers."""
    for name in LENGTHS:
        fields = require_schedule(judge, name)
        require_betas(judge, fields["betas"])
        judge.require(
            (fields["alphas"] + fields["betas"] - 1).abs().max() < ROUNDING,
            "wrong_alphas",
            "Your alphas and betas do not add up to 1.",
        )
        require_products(judge, fields["alphas"], fields["alpha_bars"])
    require_nothing_left(judge, LENGTHS)


def check(judge: Judge) -> None:
    """Judge the public challenge by known properties, and by the numbers below and in `three_sigmas`."""
    with judge.part("schedule", 0.5):
        judge_schedules(judge)
    with judge.part("noise", 1):
        judge_function(
            judge, NOISE, table(FACTORS),
            lambda run, actual, same: require_float32_digits(judge, actual, "The result of `add_noise`"),
        )  # fmt: skip
    with judge.part("sigmas", 0.5):
        judge_sigmas(judge)


# The right factors of each sample. From the oracle in tests/exercises/lab3: one noising step after another.
FACTORS: dict[str, dict[str, tuple[float, ...]]] = {
    "images": {
        "x0": (0.99995975, 0.0040098308, 0.87718143, 0.60613711, 0.44962646, 0.23491411),
        "noise": (0.0089719532, 0.99999196, 0.48015907, 0.79536017, 0.89321669, 0.97201613),
    },
    "points": {
        "x0": (0.47461606, 0.93017481, 0.86416854, 0.5584161, 0.61127266),
        "noise": (0.88019293, 0.36711691, 0.50320248, 0.829561, 0.79142007),
    },
    "square": {
        "x0": (0.87718143, 0.0040098308, 0.99995975, 0.23491411, 0.055673741),
        "noise": (0.48015907, 0.99999196, 0.0089719532, 0.97201613, 0.99844901),
    },
    "numbers": {
        "x0": (0.87718143, 0.99995975, 0.0040098308, 0.15634802, 0.055673741),
        "noise": (0.48015907, 0.0089719532, 0.99999196, 0.98770203, 0.99844901),
    },
    "again": {
        "x0": (0.0059730522, 0.79295256, 0.99995979, 0.037331355, 0.57978633, 0.12848059),
        "noise": (0.99998216, 0.60928338, 0.0089674047, 0.99930294, 0.81476856, 0.99171202),
    },
    "single": {
        "x0": (0.9999534, 0.99989232, 0.0057749262, 0.82847268, 0.46775507, 0.98287564, 0.10253637, 0.13536687),
        "noise": (0.0096537812, 0.01467479, 0.99998332, 0.56002948, 0.88385813, 0.1842701, 0.99472926, 0.99079554),
    },
    "strided": {
        "x0": (0.87718143, 0.99995975, 0.0040098308, 0.15634802, 0.60613711),
        "noise": (0.48015907, 0.0089719532, 0.99999196, 0.98770203, 0.79536017),
    },
    "one": {"x0": (0.0059730522,), "noise": (0.99998216,)},
    "zero": {"x0": (0.99995975,), "noise": (0.0089719532,)},
    "together": {"x0": (0.99995975, 0.99995975, 0.99995975), "noise": (0.0089719532, 0.0089719532, 0.0089719532)},
}

EXERCISE = Exercise(
    "lab3.schedule",
    points=2,
    title="Noise, step by step, and in one jump",
    names=("linear_schedule", "add_noise", "three_sigmas"),
    probe=probe,
    public=check,
    version=8,
)
