"""Exercise 3.5, guided noise and a DDPM step: `guided_noise` and `ddpm_step`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.batches import draw_batch, draw_steps
from utils.checks.kits.factors import Tensors, combination
from utils.checks.kits.one_step_sigma import explain_sigma
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.kits.step_functions import StepFunction, judge_function, probe_function, require_result, table
from utils.checks.student import Student
from utils.diffusion import Schedule

SCALES = {
    # run: w
    "images": 3.0, "points": 1.0, "square": 0.0, "numbers": 2.0, "again": -1.5, "single": 0.5, "strided": 0.05,
    "one": 250.0, "zero": 4.0, "together": 4.0,
}  # fmt: skip

LOUD = 1e8  # of the noise where all samples are at t = 0: its factor is 0 there, and a small one shows


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
            schedule=schedule_of_run(challenge, run),
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
            noise=draw_batch(challenge, run, "noise") * (LOUD if run == "together" else 1),
            schedule=schedule_of_run(challenge, run),
        )


GUIDED = StepFunction(
    "guided", "guided_noise", ("noise_estimate", "gradient"), GuidanceInputs.of, "The guided noise estimate"
)
STEP = StepFunction("step", "ddpm_step", ("x", "noise_estimate", "noise"), StepInputs.of, "The new x")


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call both functions on batches of several shapes, with several scales and two schedules of one length."""
    for function in (GUIDED, STEP):
        probe_function(student, challenge, evidence, function)


def guided_with(inputs: GuidanceInputs, sigma: Tensor) -> Tensor:
    """Return the guided noise with another sigma."""
    return inputs.noise_estimate.double() - inputs.w * sigma * inputs.gradient.double()


def explain_guided(judge: Judge) -> Callable[[str, Tensor, Callable[[Tensor], bool]], None]:
    """Return the function that explains a wrong guided estimate by its sigma or by its scale."""
    by_sigma = explain_sigma(judge, GUIDED, guided_with)

    def explain(run: str, actual: Tensor, same: Callable[[Tensor], bool]) -> None:
        by_sigma(run, actual, same)
        inputs = GuidanceInputs.of(judge.challenge, run)
        if run == next(iter(SCALES)) or inputs.w == 0:
            return
        noise, factors = inputs.noise_estimate.double(), table(GUIDED_FACTORS)(run)["gradient"]
        way = factors.reshape(-1, *[1] * (noise.dim() - 1)) * inputs.gradient.double()
        k = float(((actual - noise) * way).sum() / way.square().sum())
        judge.require(
            not same(noise + k * way),
            "scale_altered",
            f"Other scales are right, but at w = {inputs.w:g} yours is the result for w = {k * inputs.w + 0.0:.3g}. "
            "Use the guidance scale as it is given: not rounded, not limited, with its sign.",
        )

    return explain


def explain_step(
    judge: Judge, factors_of: Callable[[str], Tensors]
) -> Callable[[str, Tensor, Callable[[Tensor], bool]], None]:
    """Return the function that explains noise which is missing in samples that need it."""

    def new_x(run: str, silent: Tensor) -> Tensor:
        factors = factors_of(run)
        kept = {**factors, "noise": torch.where(silent, 0.0, factors["noise"])}
        return combination(STEP.tensors(judge.challenge, run), kept)

    def explain(run: str, actual: Tensor, same: Callable[[Tensor], bool]) -> None:
        t, elsewhere = StepInputs.of(judge.challenge, run).t, "one"  # a batch without t = 0
        judge.require(
            not bool((t == 1).any()) or not same(new_x(run, t == 1)),
            "noise_missing_at_1",
            "Your step adds no noise at t = 1 either. Only samples at t = 0 get none.",
        )
        judge.require(
            not bool((t == 0).any())
            or not same(new_x(run, t >= 0))
            or not judge.close(require_result(judge, STEP, elsewhere), new_x(elsewhere, torch.tensor([False])), 1e-3),
            "noise_missing_beside_0",
            "One sample at t = 0 takes the noise from its whole batch. Decide for each sample.",
        )

    return explain


def check(judge: Judge) -> None:
    """Judge the public challenge by the factors below."""
    with judge.part("guided", 1):
        judge_function(judge, GUIDED, table(GUIDED_FACTORS), explain_guided(judge))
    with judge.part("step", 1):
        judge_function(judge, STEP, table(STEP_FACTORS), explain_step(judge, table(STEP_FACTORS)))


# The right factors of each sample. From the oracle in tests/exercises/lab3: automatic differentiation, and conditioning
# of Gaussians.
GUIDED_FACTORS: dict[str, dict[str, tuple[float, ...]]] = {
    "images": {
        "noise_estimate": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        "gradient": (-0.028975868, -2.9999562, -1.5350734, -2.9923494, -2.9417258, -2.9993915),
    },
    "points": {
        "noise_estimate": (1.0, 1.0, 1.0, 1.0, 1.0),
        "gradient": (-0.83772388, -0.24123381, -0.48288897, -0.57598767, -0.59128335),
    },
    "square": {"noise_estimate": (1.0, 1.0, 1.0, 1.0, 1.0), "gradient": (0.0, 0.0, 0.0, 0.0, 0.0)},
    "numbers": {
        "noise_estimate": (1.0, 1.0, 1.0, 1.0, 1.0),
        "gradient": (-1.0233823, -0.019317245, -1.9999708, -1.638095, -1.9985406),
    },
    "again": {
        "noise_estimate": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        "gradient": (1.4999782, 0.81350151, 0.014632502, 1.377473, 1.4651538, 1.4945265),
    },
    "single": {
        "noise_estimate": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        "gradient": (
            -0.0046554549,
            -0.0073126295,
            -0.49999457,
            -0.46661199,
            -0.49998605,
            -0.4596418,
            -0.48361945,
            -0.49867374,
        ),
    },
    "strided": {
        "noise_estimate": (1.0, 1.0, 1.0, 1.0, 1.0),
        "gradient": (-0.025584557, -0.00048293113, -0.04999927, -0.049633983, -0.049028763),
    },
    "one": {"noise_estimate": (1.0,), "gradient": (-249.99637,)},
    "zero": {"noise_estimate": (1.0,), "gradient": (-0.03863449,)},
    "together": {"noise_estimate": (1.0, 1.0, 1.0), "gradient": (-0.03863449, -0.03863449, -0.03863449)},
}

STEP_FACTORS: dict[str, dict[str, tuple[float, ...]]] = {
    "images": {
        "x": (1.0000466, 3.7276581, 1.1638604, 1.6922253, 1.6692706, 1.8964183),
        "noise_estimate": (-0.0096590731, -3.4594436, -0.59538043, -1.1041032, -1.0914069, -1.3693863),
        "noise": (0.0, 0.96334517, 0.51162384, 0.80671709, 0.80070112, 0.84967309),
    },
    "points": {
        "x": (1.1275774, 1.0304317, 1.1082419, 1.008689, 1.013633),
        "noise_estimate": (-0.28735037, -0.24857496, -0.4264165, -0.030040684, -0.045803039),
        "noise": (0.4620438, 0.0, 0.43104574, 0.13097333, 0.16345741),
    },
    "square": {
        "x": (1.1638604, 3.7276581, 1.0000466, 1.6922253, 1.8964183),
        "noise_estimate": (-0.59538043, -3.4594436, -0.0096590731, -1.1041032, -1.3693863),
        "noise": (0.51162384, 0.96334517, 0.0, 0.80671709, 0.84967309),
    },
    "numbers": {
        "x": (1.1638604, 1.0000466, 3.7276581, 1.4975266, 1.868608),
        "noise_estimate": (-0.59538043, -0.0096590731, -3.4594436, -1.0130778, -1.334424),
        "noise": (0.51162384, 0.0, 0.96334517, 0.74436967, 0.84475215),
    },
    "again": {
        "x": (2.5320083, 1.1901889, 1.0000476, 2.1224294, 1.8472272, 2.510764),
        "noise_estimate": (-2.1370959, -0.6453329, -0.0097554656, -1.7981526, -1.3369332, -2.1202155),
        "noise": (0.91870545, 0.5422724, 0.0, 0.88204872, 0.8407961, 0.91726166),
    },
    "single": {
        "x": (1.0000433, 1.0000636, 1.0107803, 1.0046712, 1.0102896, 1.004457, 1.0054113, 1.0075011),
        "noise_estimate": (
            -0.0093113134,
            -0.0086989421,
            -0.021445813,
            -0.0099875991,
            -0.020475021,
            -0.0096750967,
            -0.01115911,
            -0.014986051,
        ),
        "noise": (0.0, 0.011279015, 0.14566007, 0.096318901, 0.14235842, 0.094099377, 0.10361193, 0.1217991),
    },
    "strided": {
        "x": (1.1638604, 1.0000466, 3.7276581, 1.6240108, 1.6692706),
        "noise_estimate": (-0.59538043, -0.0096590731, -3.4594436, -1.0156865, -1.0914069),
        "noise": (0.51162384, 0.0, 0.96334517, 0.78793419, 0.80070112),
    },
    "one": {"x": (2.5320083,), "noise_estimate": (-2.1370959,), "noise": (0.91870545,)},
    "zero": {"x": (1.0000466,), "noise_estimate": (-0.0096590731,), "noise": (0.0,)},
    "together": {
        "x": (1.0000466, 1.0000466, 1.0000466),
        "noise_estimate": (-0.0096590731, -0.0096590731, -0.0096590731),
        "noise": (0.0, 0.0, 0.0),
    },
}

EXERCISE = Exercise(
    "lab3.guided_ddpm_step",
    points=2,
    title="One guided step towards the data",
    names=("guided_noise", "ddpm_step"),
    probe=probe,
    public=check,
    version=9,
)
