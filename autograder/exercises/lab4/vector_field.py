"""Exercise 4.1, hidden: the conditional vector field and the conditional score."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from utils.checks.judging import Judge
from utils.checks.lab4.vector_field import KEPT, Comparison, agree, fail_far_away, only_later_calls, require_results
from utils.checks.lab4.vector_field_inputs import RUNS, WHERE, Inputs


@dataclass(frozen=True)
class Terms:
    """What the formulas are made of, in float64; schedules and their time derivatives have the shape of t."""

    x: Tensor
    z: Tensor
    t: Tensor
    alpha: Tensor
    beta: Tensor
    d_alpha: Tensor
    d_beta: Tensor

    @classmethod
    def of(cls, inputs: Inputs) -> Terms:
        """Evaluate the schedules in the dtype of the inputs, as the student's code does."""
        schedules = (inputs.alpha, inputs.beta, inputs.alpha.dt, inputs.beta.dt)
        values = (schedule(inputs.t).double() for schedule in schedules)
        return cls(inputs.point().double(), inputs.z.double(), inputs.t.double(), *values)

    @property
    def rest(self) -> Tensor:
        """What is left of x without its image: beta times the noise."""
        return self.x - self.alpha * self.z

    @property
    def field(self) -> Tensor:
        """The conditional vector field."""
        return self.d_alpha * self.z + self.d_beta / self.beta * self.rest

    @property
    def score(self) -> Tensor:
        """The conditional score."""
        return -self.rest / self.beta**2


FIELD_MISTAKES = [
    Mistake(
        "only_linear",
        lambda p: (p.z - p.x) / (1 - p.t),
        "Your field is (z - x) / (1 - t), which is right on the linear path only. "
        "Write it with alpha, beta and their derivatives.",
    ),
    Mistake(
        "displacement",
        lambda p: p.z - p.x,
        "Your field is z - x. This is not the velocity along the path: at x only the time 1 - t is left.",
    ),
    Mistake(
        "no_data_term",
        lambda p: p.d_beta / p.beta * p.rest,
        "The term with the derivative of alpha is missing: where the noise is zero, your point does not move.",
    ),
    Mistake(
        "no_noise_term",
        lambda p: p.d_alpha * p.z + 0 * p.x,
        "The term with the derivative of beta is missing: the noise would never shrink.",
    ),
    Mistake(
        "alpha_missing",
        lambda p: p.d_alpha * p.z + p.d_beta / p.beta * (p.x - p.z),
        "You subtract z itself, but at time t the image is in x with a factor.",
    ),
    Mistake(
        "ratio_inverted",
        lambda p: p.d_alpha * p.z + p.beta / p.d_beta * p.rest,
        "The ratio of beta and its derivative is upside down.",
    ),
    Mistake(
        "derivative_missing",
        lambda p: p.alpha * p.z + p.rest,
        "You use the values of alpha and beta where their time derivatives are needed.",
    ),
    Mistake(
        "derivative_missing",
        lambda p: p.d_alpha * p.z + p.rest / p.beta,
        "You divide the noise term by beta but do not multiply it by beta's derivative.",
    ),
    Mistake(
        "wrong_sign",
        lambda p: p.d_alpha * p.z - p.d_beta / p.beta * p.rest,
        "The noise term has the wrong sign: the noise would grow with time.",
    ),
    Mistake("wrong_sign", lambda p: -p.field, "Your field points backwards in time."),
    Mistake(
        "schedules_swapped",
        lambda p: p.d_beta * p.z + p.d_alpha / p.alpha * (p.x - p.beta * p.z),
        "alpha and beta are swapped.",
    ),
    Mistake(
        "noise_not_extracted",
        lambda p: p.d_alpha * p.z + p.d_beta * p.x,
        "You multiply the derivative of beta by x. It belongs to the noise alone: "
        "subtract the image from x, and consider how strong the noise in x is.",
    ),
    Mistake(
        "noise_not_extracted",
        lambda p: p.d_alpha * p.z + p.d_beta * p.rest,
        "You multiply the derivative of beta by what is left of x without its image. "
        "That is not yet the noise: at time t it is weaker.",
    ),
    Mistake("score_instead", lambda p: p.score, "What you return here is the score."),
]

SCORE_MISTAKES = [
    Mistake(
        "beta_not_squared",
        lambda p: -p.rest / p.beta,
        "You divide by beta. The variance of N(alpha z, beta² I) is beta².",
    ),
    Mistake("wrong_sign", lambda p: -p.score, "Your score points away from the mean alpha z."),
    Mistake("alpha_missing", lambda p: (p.z - p.x) / p.beta**2, "The mean of p_t(x | z) is alpha z, not z."),
    Mistake("not_divided", lambda p: -p.rest, "Divide the difference from the mean by the variance."),
    Mistake("half", lambda p: p.score / 2, "The gradient of (x - mean)² / 2 has no factor one half."),
    Mistake("noise_instead", lambda p: p.rest / p.beta, "What you return is the noise eps."),
    Mistake(
        "only_linear",
        lambda p: (p.t * p.z - p.x) / (1 - p.t) ** 2,
        "Your score is right on the linear path only. Use self.alpha and self.beta.",
    ),
]


def verdict(judge: Judge) -> None:
    """Compare field and score with their closed forms."""
    with judge.part("field", points=2):
        judge_results(judge, "field", FIELD_MISTAKES)
        judge.device("device_field")
    with judge.part("score", points=1):
        judge_results(judge, "score", SCORE_MISTAKES)
        judge.device("device_score")


OTHERWISE = {
    "field": (
        "wrong_field",
        "Your field is not the velocity of a point that moves along x = alpha z + beta eps (seen {where}). "
        "Differentiate x with respect to time with z and eps held fixed, then replace eps.",
    ),
    "score": (
        "wrong_score",
        "Your score is not the gradient of log N(x; alpha z, beta² I) with respect to x (seen {where}).",
    ),
}


def judge_results(judge: Judge, part: str, mistakes: list[Mistake]) -> None:
    """Compare the field or the score of all runs, and name the mistake that explains all of them together."""
    results = require_results(judge, part)
    inputs = Inputs.of_all(judge.challenge)
    terms = {run: Terms.of(i) for run, i in inputs.items()}
    wrong = [run for run, p in terms.items() if not agree(inputs[run], part, results[run], getattr(p, part))]
    if not wrong:
        return
    if only_later_calls(wrong):
        judge.fail("kept_from_earlier_call", KEPT)
    if wrong == ["far"]:
        fail_far_away(judge, Comparison(part, inputs["far"], results["far"]), f"your {part}")
    exact = [run for run in RUNS if RUNS[run][1] == torch.float64]  # in float32 a wrong result may round otherwise
    for mistake in mistakes:
        explained = all(agree(inputs[run], part, results[run], mistake.formula(terms[run])) for run in exact)
        judge.require(not explained, mistake.code, str(mistake.message))
    code, message = OTHERWISE[part]
    judge.fail(code, message.format(where=WHERE[wrong[0]]))
