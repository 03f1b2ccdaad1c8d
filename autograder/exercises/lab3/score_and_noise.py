"""Exercise 3.2: the hidden verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from autograder.exercises.kits.noise_levels import NoiseLevels
from autograder.exercises.kits.step_functions import fail_if_known
from utils.checks.challenge import Challenge
from utils.checks.judging import Judge
from utils.checks.kits.batches import DOUBLE
from utils.checks.kits.requirements import require_float32_digits
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.kits.step_functions import StepFunction, judge_function
from utils.checks.lab3.score_and_noise import FUNCTIONS


@dataclass(frozen=True)
class Terms:
    """What goes into one of the two functions."""

    value: Tensor
    levels: NoiseLevels
    label: str  # what comes out: "score" or "noise"

    @classmethod
    def of(cls, challenge: Challenge, run: str, label: str) -> Terms:
        """Return the input of the function called `label`, and the noise levels of the challenge."""
        inputs = FUNCTIONS[label].inputs(challenge, run)
        value = inputs.noise_estimate if label == "score" else inputs.score
        return cls(value.double(), NoiseLevels.of(schedule_of_run(challenge, run, DOUBLE), inputs.t, value), label)

    @property
    def factors(self) -> dict[str, Tensor]:
        """The right factor of each sample, (b,)."""
        total = self.levels.total.flatten()
        return {"noise_estimate": -1 / total} if self.label == "score" else {"score": -total}

    def convert(self, sigma: Tensor) -> Tensor:
        """Return the result of the right formula with this sigma."""
        return -self.value / sigma if self.label == "score" else -self.value * sigma

    def convert_back(self, sigma: Tensor) -> Tensor:
        """Return the result of the opposite conversion with this sigma."""
        return -self.value * sigma if self.label == "score" else -self.value / sigma


MISTAKES = [
    Mistake(
        "wrong_sign",
        lambda m: -m.convert(m.levels.total),
        "The sign is wrong: noise points away from the data, and the score points towards it.",
    ),
    Mistake(
        "sigma_of_one_step",
        lambda m: m.convert(m.levels.step),
        "You use sqrt(beta_t), the noise of one step, which is right only at t = 0. "
        "x_t contains the noise of all steps.",
    ),
    Mistake(
        "variance_for_sigma",
        lambda m: m.convert(1 - m.levels.alpha_bar),
        "You use the variance 1 - alpha_bar_t where its square root is needed.",
    ),
    Mistake(
        "alpha_for_alpha_bar",
        lambda m: m.convert((1 - m.levels.alpha).sqrt()),
        "You use alpha_t, the factor of one step. The noise in x_t has the variance 1 - alpha_bar_t.",
    ),
    Mistake(
        "root_of_bar",
        lambda m: m.convert(m.levels.alpha_bar.sqrt()),
        "You use sqrt(alpha_bar_t), the factor of the data. Use that of the noise.",
    ),
    Mistake(
        "inverted",
        lambda m: m.convert_back(m.levels.total),
        "The two functions are exchanged: one divides by sigma, and the other multiplies.",
    ),
    Mistake(
        "inverted",
        lambda m: -m.convert_back(m.levels.total),
        "You divide by sigma where you should multiply, or the other way round, and the sign is wrong too.",
    ),
    Mistake(
        "sigma_missing",
        lambda m: -m.value,
        "You change only the sign. The result also depends on the size of the noise.",
    ),
]


def verdict(judge: Judge) -> None:
    """Judge the two functions, each as a part of its own."""
    for label, function in FUNCTIONS.items():
        with judge.part(label, points=0.5):

            def terms(run: str, label: str = label) -> Terms:
                return Terms.of(judge.challenge, run, label)

            def explain(run: str, actual: Tensor, same: Any, function: StepFunction = function, terms: Any = terms):
                fail_if_known(judge, same, MISTAKES, terms(run))
                require_float32_digits(judge, actual, f"The result of `{function.name}`")

            judge_function(judge, function, lambda run: terms(run).factors, explain)
