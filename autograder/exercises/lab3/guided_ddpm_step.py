"""Exercise 3.5: the hidden verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from autograder.exercises.kits.noise_levels import NoiseLevels
from autograder.exercises.kits.scales import other_scale
from autograder.exercises.kits.step_functions import fail_if_known
from utils.checks.challenge import Challenge
from utils.checks.judging import Judge
from utils.checks.kits.batches import DOUBLE
from utils.checks.kits.factors import Tensors
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.kits.step_functions import judge_function
from utils.checks.lab3.guided_ddpm_step import GUIDED, STEP, GuidanceInputs, StepInputs, explain_step


@dataclass(frozen=True)
class Guidance:
    """What a guided noise estimate is made of."""

    actual: Tensor  # what the student's code returned
    noise: Tensor
    gradient: Tensor
    w: float
    levels: NoiseLevels

    @classmethod
    def of(cls, challenge: Challenge, run: str, actual: Tensor) -> Guidance:
        """Return the quantities of the guided estimate that the challenge asks for."""
        inputs = GuidanceInputs.of(challenge, run)
        levels = NoiseLevels.of(schedule_of_run(challenge, run, DOUBLE), inputs.t, inputs.gradient)
        return cls(actual, inputs.noise_estimate.double(), inputs.gradient.double(), inputs.w, levels)

    @property
    def factors(self) -> dict[str, Tensor]:
        """The right factors of each sample, (b,)."""
        total = self.levels.total.flatten()
        return {"noise_estimate": torch.ones_like(total), "gradient": -self.w * total}

    def guided(self, factor: Tensor | float, w: float | None = None) -> Tensor:
        """Return the noise, less the gradient times a factor and times the scale."""
        return self.noise - (self.w if w is None else w) * factor * self.gradient

    @property
    def other_scale(self) -> tuple[str, str, Tensor]:
        """The finding for a result that belongs to another guidance scale, and that result."""
        return other_scale(self.actual, self.noise, -self.levels.total * self.gradient, self.w)


SCALE_ALTERED = Mistake("scale_altered", lambda g: g.other_scale[2], lambda g: g.other_scale[1])

GUIDANCE_MISTAKES = [
    Mistake(
        "wrong_sign",
        lambda g: g.guided(-g.levels.total),
        "You add the gradient's part to the noise, so p(y | x) would fall as w rises. "
        "Score and noise have opposite signs.",
    ),
    Mistake(
        "sigma_of_one_step",
        lambda g: g.guided(g.levels.step),
        "You use sqrt(beta_t), the noise of one step, so your guidance is up to ten times too weak. "
        "The score was divided by sqrt(1 - alpha_bar_t).",
    ),
    Mistake(
        "variance_for_sigma",
        lambda g: g.guided(g.levels.total**2),
        "You multiply by the variance 1 - alpha_bar_t. Take its root.",
    ),
    Mistake(
        "root_of_bar",
        lambda g: g.guided(g.levels.alpha_bar.sqrt()),
        "You multiply by sqrt(alpha_bar_t), the factor of the data. Use that of the noise.",
    ),
    Mistake(
        "alpha_for_alpha_bar",
        lambda g: g.guided((1 - g.levels.alpha).sqrt()),
        "You use alpha_t, the factor of one step, not the product alpha_bar_t.",
    ),
    Mistake(
        "sigma_missing",
        lambda g: g.guided(1),
        "You subtract the gradient as it is. It is a score: convert it to noise first.",
    ),
    Mistake(
        "inverted",
        lambda g: g.guided(1 / g.levels.total),
        "You divide by sigma. That converts noise to a score, and you need the opposite.",
    ),
    Mistake(
        "posterior_sigma",
        lambda g: g.guided(g.levels.posterior),
        "You use the posterior's sigma. Use that of the noise in x_t.",
    ),
    Mistake(
        "difference",
        lambda g: g.guided(g.levels.total) - g.w * g.noise,
        "You multiply the estimate by 1 - w before you guide it. Nothing is taken from the estimate itself.",
    ),
    Mistake(
        "everything_scaled",
        lambda g: g.w * g.guided(g.levels.total, 1),
        "You multiply the whole estimate by w. Multiply only the gradient.",
    ),
    Mistake(
        "one_more",
        lambda g: g.guided(g.levels.total, 1 + g.w),
        "You guide by 1 + w. At w = 0 nothing may change.",
    ),
    Mistake(
        "noise_missing",
        lambda g: g.guided(g.levels.total) - g.noise,
        "The noise estimate itself is missing.",
    ),
    Mistake(
        "twice",
        lambda g: g.guided(g.levels.total, 2 * g.w),
        "Your guidance is twice as strong as w says.",
    ),
    Mistake(
        "scale_clipped",
        lambda g: g.guided(g.levels.total, min(max(g.w, 0.0), 1.0)),
        "Your guidance scale is limited to [0, 1]. Larger and negative scales are allowed.",
    ),
    Mistake("unguided", lambda g: g.noise, "The gradient has no effect."),
]


@dataclass(frozen=True)
class Step:
    """What a DDPM step is made of."""

    x: Tensor
    noise_estimate: Tensor
    noise: Tensor
    levels: NoiseLevels

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Step:
        """Return the quantities of the step that the challenge asks for."""
        inputs = StepInputs.of(challenge, run)
        levels = NoiseLevels.of(schedule_of_run(challenge, run, DOUBLE), inputs.t, inputs.x)
        return cls(inputs.x.double(), inputs.noise_estimate.double(), inputs.noise.double(), levels)

    def mean(self, factor: Tensor | float, root: Tensor | float | None = None) -> Tensor:
        """Return x less a factor times the estimate, divided by sqrt(alpha) or by another root."""
        return (self.x - factor * self.noise_estimate) / (self.levels.alpha.sqrt() if root is None else root)

    @property
    def factors(self) -> dict[str, Tensor]:
        """The right factors of each sample, (b,)."""
        root = self.levels.alpha.sqrt()
        factors = {"x": 1 / root, "noise_estimate": -self.share / root, "noise": self.levels.moving * self.levels.step}
        return {name: factor.flatten() for name, factor in factors.items()}

    @property
    def share(self) -> Tensor:
        """The right factor of the estimate."""
        return self.levels.beta / self.levels.total

    @property
    def kick(self) -> Tensor:
        """The right added noise."""
        return self.levels.moving * self.levels.step * self.noise

    @property
    def right(self) -> Tensor:
        """The result of a right step."""
        return self.mean(self.share) + self.kick

    def with_kick(self, sigma: Tensor | float) -> Tensor:
        """Return the right mean, with noise of another size where t > 0."""
        return self.mean(self.share) + self.levels.moving * sigma * self.noise


STEP_MISTAKES = [
    Mistake(
        "noise_at_the_end",
        lambda s: s.mean(s.share) + s.levels.step * s.noise,
        "You add noise at t = 0. The last step ends on the data, and nothing is added there.",
    ),
    Mistake(
        "noise_missing",
        lambda s: s.mean(s.share),
        "The noise is missing. Without it the variance of the samples shrinks from step to step.",
    ),
    Mistake(
        "posterior_variance",
        lambda s: s.with_kick(s.levels.posterior),
        "Your noise has the posterior's variance. That is a possible choice, but this exercise asks for beta_t.",
    ),
    Mistake(
        "variance_for_sigma",
        lambda s: s.with_kick(s.levels.beta),
        "You multiply the noise by its variance beta_t. Take the root.",
    ),
    Mistake(
        "total_sigma",
        lambda s: s.with_kick(s.levels.total),
        "You add the noise of all steps, sqrt(1 - alpha_bar_t). One step adds sqrt(beta_t).",
    ),
    Mistake("noise_unscaled", lambda s: s.with_kick(1), "You add the noise at full size."),
    Mistake(
        "noise_subtracted",
        lambda s: s.mean(s.share) - s.kick,
        "You subtract the noise. That has the same distribution, but this noise was given: add it.",
    ),
    Mistake(
        "factor_missing",
        lambda s: s.mean(1) + s.kick,
        "You subtract the whole noise estimate. One step removes only a part of it: beta_t / sqrt(1 - alpha_bar_t).",
    ),
    Mistake(
        "no_root",
        lambda s: s.mean(s.levels.beta / s.levels.total**2) + s.kick,
        "You divide by 1 - alpha_bar_t where its square root is needed.",
    ),
    Mistake(
        "one_minus_alpha",
        lambda s: s.mean(s.levels.beta / (1 - s.levels.alpha).sqrt()) + s.kick,
        "You use 1 - alpha_t in the denominator where 1 - alpha_bar_t is needed.",
    ),
    Mistake(
        "sigma_of_one_step",
        lambda s: s.mean(s.levels.step) + s.kick,
        "You subtract sqrt(beta_t) times the estimate. The factor in the text is another one.",
    ),
    Mistake(
        "total_sigma",
        lambda s: s.mean(s.levels.total) + s.kick,
        "You subtract sqrt(1 - alpha_bar_t) times the estimate, which is all the noise in one step.",
    ),
    Mistake(
        "beta_only",
        lambda s: s.mean(s.levels.beta) + s.kick,
        "You subtract beta_t times the estimate, without dividing by the size of the noise.",
    ),
    Mistake(
        "alpha_bar_root",
        lambda s: s.mean(s.share, s.levels.alpha_bar.sqrt()) + s.kick,
        "You divide by sqrt(alpha_bar_t). One step undoes the shrinking of one step: sqrt(alpha_t).",
    ),
    Mistake(
        "alpha_no_root",
        lambda s: s.mean(s.share, s.levels.alpha) + s.kick,
        "You divide by alpha_t where its square root is needed.",
    ),
    Mistake(
        "not_rescaled",
        lambda s: s.mean(s.share, 1) + s.kick,
        "You do not divide by sqrt(alpha_t), so the data stays shrunk.",
    ),
    Mistake(
        "multiplied",
        lambda s: s.mean(s.share, 1 / s.levels.alpha.sqrt()) + s.kick,
        "You multiply by sqrt(alpha_t) where you should divide.",
    ),
    Mistake(
        "wrong_sign",
        lambda s: s.mean(-s.share) + s.kick,
        "You add the noise estimate. It has to be subtracted.",
    ),
    Mistake(
        "clamped",
        lambda s: s.right.clamp(-1, 1),
        "Your new x is cut off at -1 and 1. "
        "Noise is larger than that: at the start a third of all pixels would be cut.",
    ),
    Mistake(
        "clean_estimate",
        lambda s: s.mean(s.levels.total, s.levels.alpha_bar.sqrt()),
        "You return the estimate of the clean data. One step goes only a part of the way.",
    ),
]


def verdict(judge: Judge) -> None:
    """Judge the two functions, each as a part of its own."""

    def guided_factors(run: str) -> Tensors:
        return Guidance.of(judge.challenge, run, torch.zeros(())).factors

    def step_factors(run: str) -> Tensors:
        return Step.of(judge.challenge, run).factors

    missing_noise = explain_step(judge, step_factors)

    def explain_new_x(run: str, actual: Tensor, same: Callable[[Tensor], bool]) -> None:
        missing_noise(run, actual, same)
        fail_if_known(judge, same, STEP_MISTAKES, Step.of(judge.challenge, run))

    with judge.part("guided", points=1):
        judge_function(judge, GUIDED, guided_factors, lambda *wrong: explain_guidance(judge, *wrong))
    with judge.part("step", points=1):
        judge_function(judge, STEP, step_factors, explain_new_x)


def explain_guidance(judge: Judge, run: str, actual: Tensor, same: Callable[[Tensor], bool]) -> None:
    """Fail with the mistake of the table that explains a wrong estimate, if there is one."""
    # only where code is right on the images, at w = 3, does another scale mean anything
    mistakes = GUIDANCE_MISTAKES if run == "images" else [SCALE_ALTERED, *GUIDANCE_MISTAKES]
    fail_if_known(judge, same, mistakes, Guidance.of(judge.challenge, run, actual))
