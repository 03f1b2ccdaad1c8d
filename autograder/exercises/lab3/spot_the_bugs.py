"""Exercise 3.7: the hidden verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, compare
from utils.checks.challenge import Challenge
from utils.checks.judging import Judge
from utils.checks.lab3.spot_the_bugs import ORDER, SCALE, Inputs, judge_glue, require_flow


@dataclass(frozen=True)
class Factors:
    """Factors of the gradient, (STEPS,), the noisiest step first."""

    beta: Tensor
    alpha: Tensor
    alpha_bar: Tensor
    expected: Tensor

    @classmethod
    def of(cls, challenge: Challenge) -> Factors:
        """Return the factors for the schedule of the challenge."""
        beta, alpha, alpha_bar = (values[ORDER] for values in Inputs.of(challenge).schedule)
        return cls(beta, alpha, alpha_bar, SCALE * (1 - alpha_bar).sqrt())

    @property
    def shift(self) -> Tensor:
        """How far right guidance in the noise estimate moves x in a step."""
        return SCALE * self.beta / self.alpha.sqrt()


MISTAKES = [
    Mistake(
        "sigma_of_one_step",
        lambda f: SCALE * f.beta.sqrt(),
        "The gradient is still multiplied by sqrt(beta_t), the noise of one step. "
        "x_t contains the noise of all steps: which of the three sigmas is that?",
    ),
    Mistake("scale_missing", lambda f: f.expected / SCALE, "The guidance scale w has no effect."),
    Mistake(
        "sigma_missing",
        lambda f: 0 * f.beta + SCALE,
        "The gradient is used as it is, without a sigma.",
    ),
    Mistake(
        "variance_for_sigma",
        lambda f: SCALE * (1 - f.alpha_bar),
        "The gradient is multiplied by a variance. Take its root.",
    ),
]


def verdict(judge: Judge) -> None:
    """Judge each of the four bugs as a part of its own."""
    judge_glue(judge)
    with judge.part("sigma", points=0.5):
        guidance, factors = require_flow(judge), Factors.of(judge.challenge)
        actual = guidance.factor.abs()
        # Guidance after the step loses the part `inside`. Here its factor may be the sigma's, or the shift that
        # right guidance makes.
        if not guidance.inside and judge.close(actual, factors.shift, guidance.rtol):
            factors = replace(factors, expected=factors.shift)
        compare(
            judge, actual, factors.expected, MISTAKES, factors,
            ("wrong_sigma", "The factor before the gradient differs from the one in your `guided_noise`. "
             "Compare the two."),
            guidance.rtol,
        )  # fmt: skip
