"""Exercise 3.7: the hidden verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, compare
from utils.checks.challenge import Challenge
from utils.checks.judging import Judge
from utils.checks.kits.schedules import hard_schedule
from utils.checks.lab3.spot_the_bugs import (
    ORDER,
    RTOL,
    guidance_with_a_size,
    judge_glue,
    require_readable_factor,
    require_same_in_all_steps,
)
from utils.checks.lab3.spot_the_bugs_inputs import RUNS, STEPS, Inputs
from utils.diffusion import Schedule


def schedule_in_float64(challenge: Challenge, run: str) -> Schedule:
    """Return the schedule of a run as it is before it is rounded to float32."""
    if RUNS[run].hard:
        return hard_schedule(challenge, "hard", STEPS)
    return Inputs.of(challenge, run).schedule


@dataclass(frozen=True)
class Factors:
    """Factors of the gradient, (STEPS,), the noisiest step first."""

    beta: Tensor
    alpha: Tensor
    alpha_bar: Tensor
    expected: Tensor
    w: float  # its size

    @classmethod
    def of(cls, challenge: Challenge, run: str, seen: Tensor | None = None) -> Factors:
        """Return the sizes of the factors for the schedule and the scale of a run.

        Args:
            challenge: Fixes the schedule.
            run: A run of `RUNS`.
            seen: (STEPS,), the steps to keep, the noisiest first; all if it is left out.
        """
        order = ORDER if seen is None else ORDER[seen]
        beta, alpha, alpha_bar = (values[order] for values in schedule_in_float64(challenge, run))
        w = abs(RUNS[run].w)
        return cls(beta, alpha, alpha_bar, w * (1 - alpha_bar).sqrt(), w)

    @property
    def shift(self) -> Tensor:
        """How far right guidance in the noise estimate moves x in a step."""
        return self.w * self.beta / self.alpha.sqrt()


MISTAKES = [
    Mistake(
        "sigma_of_one_step",
        lambda f: f.w * f.beta.sqrt(),
        "The gradient is still multiplied by sqrt(beta_t), the noise of one step. "
        "x_t contains the noise of all steps: which of the three sigmas is that?",
    ),
    Mistake(
        "scale_fixed",
        lambda f: f.expected / f.w * RUNS["main"].w,
        "The guidance scale is a constant. Use the w that the sampler is given.",
    ),
    Mistake("scale_missing", lambda f: f.expected / f.w, "The guidance scale w has no effect."),
    Mistake(
        "sigma_missing",
        lambda f: 0 * f.beta + f.w,
        "The gradient is used as it is, without a sigma.",
    ),
    Mistake(
        "variance_for_sigma",
        lambda f: f.w * (1 - f.alpha_bar),
        "The gradient is multiplied by a variance. Take its root.",
    ),
]


def verdict(judge: Judge) -> None:
    """Judge each of the four bugs as a part of its own."""
    judge_glue(judge, lambda run: Factors.of(judge.challenge, run).shift * (1 if RUNS[run].w >= 0 else -1))
    with judge.part("sigma", points=0.5):
        for run, guidance in guidance_with_a_size(judge):
            factors = Factors.of(judge.challenge, run, guidance.readable)
            actual = guidance.factor.abs()[guidance.readable]
            blur = RUNS[run].blur
            # Guidance after the step loses the part `inside`, or makes the shift that right guidance makes. Its factor
            # may be the sigma, that shift, or the one of published code, which moves the mean by beta.
            if not guidance.inside:
                known = [factors.expected, factors.shift, factors.w * factors.beta]
                closest = next((size for size in known if judge.close(actual, size, RTOL)), factors.expected)
                factors = replace(factors, expected=closest)
            if not judge.close(actual, factors.expected, RTOL, blur):
                require_readable_factor(judge, guidance)
                if factors.w > 0:
                    require_same_in_all_steps(judge, guidance, actual / factors.expected)
            compare(
                judge, actual, factors.expected, MISTAKES, factors,
                ("wrong_sigma", f"The factor before the gradient (at w = {RUNS[run].w:g}) differs from the one in your "
                 "`guided_noise`. Compare the two."),
                RTOL, blur,
            )  # fmt: skip
