"""Exercise 3.2, a dictionary: `score_from_noise` and `noise_from_score`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.batches import draw_batch, draw_steps
from utils.checks.kits.one_step_sigma import explain_sigma
from utils.checks.kits.requirements import require_float32_digits
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.kits.step_functions import StepFunction, judge_function, probe_function, table
from utils.checks.student import Student
from utils.diffusion import Schedule


@dataclass(frozen=True)
class NoiseInputs:
    """The inputs of `score_from_noise` in one run."""

    noise_estimate: Tensor  # (b, …)
    t: Tensor  # (b,) steps, integers
    schedule: Schedule

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> NoiseInputs:
        """Return the inputs of a run of `BATCHES`."""
        value = draw_batch(challenge, run, "noise_estimate")
        return cls(value, draw_steps(challenge, run), schedule_of_run(challenge, run))


@dataclass(frozen=True)
class ScoreInputs:
    """The inputs of `noise_from_score` in one run."""

    score: Tensor  # (b, …)
    t: Tensor  # (b,) steps, integers
    schedule: Schedule

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> ScoreInputs:
        """Return the inputs of a run of `BATCHES`."""
        value = draw_batch(challenge, run, "score")
        return cls(value, draw_steps(challenge, run), schedule_of_run(challenge, run))


FUNCTIONS = {
    # what comes out: the graded function
    "score": StepFunction("score", "score_from_noise", ("noise_estimate",), NoiseInputs.of, "The result"),
    "noise": StepFunction("noise", "noise_from_score", ("score",), ScoreInputs.of, "The result"),
}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call both functions on batches of several shapes, and with two schedules of as many steps."""
    for function in FUNCTIONS.values():
        probe_function(student, challenge, evidence, function)


def check(judge: Judge) -> None:
    """Judge the public challenge by the factors below."""
    for label, function in FUNCTIONS.items():
        with judge.part(label, 0.5):

            def explain(
                run: str, actual: Tensor, same: Any, label: str = label, function: StepFunction = function
            ) -> None:
                explain_sigma(judge, function, WITH_SIGMA[label])(run, actual, same)
                require_float32_digits(judge, actual, f"The result of `{function.name}`")

            judge_function(judge, function, table(FACTORS[label]), explain)


WITH_SIGMA = {
    "score": lambda inputs, sigma: -inputs.noise_estimate.double() / sigma,
    "noise": lambda inputs, sigma: -inputs.score.double() * sigma,
}

# The right factor of each sample. From the oracle in tests/exercises/lab3: automatic differentiation of a log density.
FACTORS: dict[str, dict[str, dict[str, tuple[float, ...]]]] = {
    "score": {
        "images": {"noise_estimate": (-108.88628, -1.0000132, -1.8939783, -1.3562739, -1.0002863, -1.0281685)},
        "points": {"noise_estimate": (-1.1755925, -8.7962832, -2.4538027, -1.4281109, -1.2896511)},
        "square": {"noise_estimate": (-1.8939783, -1.0000132, -108.88628, -1.0281685, -1.0895575)},
        "numbers": {"noise_estimate": (-1.8939783, -108.88628, -1.0000132, -1.0281685, -1.0002863)},
        "again": {"noise_estimate": (-1.0000111, -1.4067409, -108.55143, -1.020791, -1.0002596, -1.0016036)},
        "single": {
            "noise_estimate": (
                -105.82012,
                -68.358092,
                -1.0000134,
                -1.0981498,
                -1.0187041,
                -1.0060109,
                -32.974893,
                -1.1881788,
            )
        },
        "strided": {"noise_estimate": (-1.8939783, -108.88628, -1.0000132, -1.1971867, -1.0002863)},
        "one": {"noise_estimate": (-1.0000111,)},
        "zero": {"noise_estimate": (-108.88628,)},
        "together": {"noise_estimate": (-108.88628, -108.88628, -108.88628)},
    },
    "noise": {
        "images": {"score": (-0.0091838939, -0.99998684, -0.52798914, -0.73731419, -0.99971378, -0.97260325)},
        "points": {"score": (-0.8506349, -0.11368438, -0.40753072, -0.70022573, -0.77540351)},
        "square": {"score": (-0.52798914, -0.99998684, -0.0091838939, -0.97260325, -0.91780381)},
        "numbers": {"score": (-0.52798914, -0.0091838939, -0.99998684, -0.97260325, -0.99971378)},
        "again": {"score": (-0.99998888, -0.71086297, -0.0092122228, -0.97963244, -0.99974051, -0.99839899)},
        "single": {
            "score": (
                -0.0094499984,
                -0.014628846,
                -0.99998657,
                -0.91062258,
                -0.98163931,
                -0.99402499,
                -0.030326103,
                -0.84162418,
            )
        },
        "strided": {"score": (-0.52798914, -0.0091838939, -0.99998684, -0.83529159, -0.99971378)},
        "one": {"score": (-0.99998888,)},
        "zero": {"score": (-0.0091838939,)},
        "together": {"score": (-0.0091838939, -0.0091838939, -0.0091838939)},
    },
}

EXERCISE = Exercise(
    "lab3.score_and_noise",
    points=1,
    title="The score and the noise are the same thing",
    names=("score_from_noise", "noise_from_score"),
    probe=probe,
    public=check,
    version=8,
)
