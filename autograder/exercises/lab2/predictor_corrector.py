"""Exercise 2.4, hidden half: one step of the predictor, one of the corrector."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from autograder.exercises.kits.ring import fail_on_ring
from utils.checks.judging import Judge
from utils.checks.kits.inputs import in_double
from utils.checks.kits.ring import require_in_cell, same_place
from utils.checks.lab2.predictor_corrector import (
    LAST_REUSED,
    Inputs,
    require_no_mirror,
    require_repeatable,
    require_samples_apart,
    require_states,
    require_terms,
)
from utils.checks.lab2.reused_inputs import require_nothing_kept

# The rounding of float32: of a place, and of a step relative to its two terms.
PLACE_ROUNDING, STEP_ROUNDING = 5e-7, 1e-4


@dataclass(frozen=True)
class Step:
    """x + drift · score + width · noise: what both steps and nearly all of their mistakes are."""

    inputs: Inputs

    @property
    def variance(self) -> Tensor:
        """Variance that the predictor takes back, (b, 1)."""
        return self.inputs.sigma**2 - self.inputs.sigma_next**2

    @property
    def g(self) -> Tensor:
        """The root of `variance`, (b, 1)."""
        return self.variance.sqrt()

    def size(self, drift: Tensor, width: Tensor) -> Tensor:
        """Return the size of the two terms of a step together, (b, n)."""
        return drift * self.inputs.score.abs() + width * self.inputs.noise.abs()

    def moved(self, drift: Tensor | float, width: Tensor | float) -> Tensor:
        """Return the new state before it is wrapped, (b, n)."""
        return self.inputs.x + drift * self.inputs.score + width * self.inputs.noise


def predicted(s: Step) -> Tensor:
    """Return the state after a step of the predictor, before it is wrapped."""
    return s.moved(s.variance, s.g)


def corrected(s: Step) -> Tensor:
    """Return the state after a step of the corrector, before it is wrapped."""
    return s.moved(*corrector_factors(s))


def corrector_factors(s: Step) -> tuple[Tensor, Tensor]:
    """Return what the corrector multiplies the score and the noise by, (b, 1) each."""
    return s.inputs.step, (2 * s.inputs.step).sqrt()


AGAINST = "You go against the score. It points to where the density is higher, which is where the step should go."

PREDICTOR_MISTAKES = [
    Mistake("wrong_sign", lambda s: s.moved(-s.variance, s.g), AGAINST),
    Mistake(
        "noise_not_rooted",
        lambda s: s.moved(s.variance, s.variance),
        "You multiply the noise by g². Its variance is g², so its standard deviation is g.",
    ),
    Mistake(
        "score_rooted",
        lambda s: s.moved(s.g, s.g),
        "You multiply the score by g. The factor of the drift is g².",
    ),
    Mistake(
        "widths_subtracted",
        lambda s: s.moved((s.inputs.sigma - s.inputs.sigma_next) ** 2, s.inputs.sigma - s.inputs.sigma_next),
        "You use (sigma - sigma_next)². Variances subtract, widths do not: g² = sigma² - sigma_next².",
    ),
    Mistake(
        "widths_subtracted",
        lambda s: s.moved(s.inputs.sigma - s.inputs.sigma_next, (s.inputs.sigma - s.inputs.sigma_next).sqrt()),
        "You use sigma - sigma_next for g². Variances subtract, widths do not: g² = sigma² - sigma_next².",
    ),
    Mistake(
        "half_drift",
        lambda s: s.moved(s.variance / 2, s.g),
        "Your drift is g² / 2. That belongs to the ODE, which adds no noise; with noise the whole g² is needed.",
    ),
    Mistake("no_noise", lambda s: s.moved(s.variance, 0.0), "Your step adds no noise."),
    Mistake("no_noise", lambda s: s.moved(s.variance / 2, 0.0), "Your step adds no noise."),
    Mistake("no_drift", lambda s: s.moved(0.0, s.g), "Your step ignores the score."),
    Mistake(
        "double_noise",
        lambda s: s.moved(s.variance, (2 * s.variance).sqrt()),
        "Your noise has the variance 2 g². That belongs to the corrector.",
    ),
    Mistake(
        "sigma_for_g",
        lambda s: s.moved(s.inputs.sigma**2, s.inputs.sigma),
        "You use sigma² for g². One step removes only the difference to the next noise level.",
    ),
    Mistake(
        "sigma_for_g",
        lambda s: s.moved(s.inputs.sigma_next**2, s.inputs.sigma_next),
        "You use sigma_next² for g². One step removes the difference between the two noise levels.",
    ),
    Mistake(
        "score_normalised",
        lambda s: s.moved(s.variance / s.inputs.sigma, s.g),
        "You divide the score by sigma. The `score` that is passed in is the score itself.",
    ),
    Mistake(
        "score_normalised",
        lambda s: s.moved(s.variance * s.inputs.sigma, s.g),
        "You multiply the score by sigma. The `score` that is passed in is the score itself.",
    ),
    Mistake(
        "posterior_noise",
        lambda s: s.moved(s.variance, s.g * s.inputs.sigma_next / s.inputs.sigma),
        "Your noise has the variance of the posterior, g² sigma_next² / sigma². The exercise uses g².",
    ),
]

CORRECTOR_MISTAKES = [
    Mistake("wrong_sign", lambda s: s.moved(-s.inputs.step, (2 * s.inputs.step).sqrt()), AGAINST),
    Mistake(
        "two_missing",
        lambda s: s.moved(s.inputs.step, s.inputs.step.sqrt()),
        "Your noise has the variance `step`. To keep the density as it is, noise and drift must balance: the variance "
        "is 2 · step.",
    ),
    Mistake(
        "noise_not_rooted",
        lambda s: s.moved(s.inputs.step, 2 * s.inputs.step),
        "You multiply the noise by 2 · step, which is its variance. Its standard deviation is the root.",
    ),
    Mistake(
        "noise_not_rooted",
        lambda s: s.moved(s.inputs.step, s.inputs.step),
        "You multiply the noise by `step`. Its variance is 2 · step, and its standard deviation the root of that.",
    ),
    Mistake(
        "root_too_small",
        lambda s: s.moved(s.inputs.step, 2 * s.inputs.step.sqrt()),
        "Your factor 2 is outside the root. It belongs inside.",
    ),
    Mistake(
        "half_step",
        lambda s: s.moved(s.inputs.step / 2, s.inputs.step.sqrt()),
        "Your drift is step / 2 and your noise has the variance `step`. That is half the step of the exercise.",
    ),
    Mistake(
        "half_step",
        lambda s: s.moved(s.inputs.step / 2, (2 * s.inputs.step).sqrt()),
        "Your drift is step / 2. The exercise uses the whole step.",
    ),
    Mistake(
        "double_step",
        lambda s: s.moved(2 * s.inputs.step, (2 * s.inputs.step).sqrt()),
        "Your drift is 2 · step. The factor 2 belongs under the root of the noise only.",
    ),
    Mistake(
        "step_squared",
        lambda s: s.moved(s.inputs.step**2, math.sqrt(2) * s.inputs.step),
        "You square the step. Use it as it is given.",
    ),
    Mistake(
        "no_noise",
        lambda s: s.moved(s.inputs.step, 0.0),
        "Your step adds no noise, so it climbs to the top of the density and stays there.",
    ),
    Mistake("no_drift", lambda s: s.moved(0.0, (2 * s.inputs.step).sqrt()), "Your step ignores the score."),
]


def silent_last_step(formula: Callable[[Step], Tensor]) -> Mistake:
    """Return the mistake of a step that adds no noise where it leads to the least noise level."""
    return Mistake(
        "no_noise_at_the_end",
        lambda s: formula(Step(replace(s.inputs, noise=0 * s.inputs.noise))),
        "Your step to the least noise level adds no noise. It is a step like the others.",
    )


def judge_steps(judge: Judge, name: str, formula: Callable[[Step], Tensor], mistakes: Sequence[Mistake]) -> None:
    """Compare the states of all runs, as places on the ring."""
    for run, actual in require_states(judge, name).items():
        step = Step(in_double(Inputs.of(judge.challenge, run)))
        expected = formula(step)
        terms = step.size(step.variance, step.g) if name == "predictor" else step.size(*corrector_factors(step))
        tolerance = PLACE_ROUNDING + STEP_ROUNDING * terms
        if same_place(actual, expected, tolerance):
            require_in_cell(judge, actual, f"The new state of your {name}")
            continue
        require_repeatable(judge, name)
        require_nothing_kept(judge, f"{name}_{LAST_REUSED}/state", f"{name}_new/state", f"{name}_step")
        judge.require(
            not bool(((actual - expected.clamp(0, 1)).abs() <= tolerance).all()),
            "walls",
            "Your atoms stop at the cell's edge. A ring has no edge: an atom that leaves at 1 comes back at 0.",
        )
        require_no_mirror(judge, name)
        known = [silent_last_step(formula), *mistakes] if run.startswith("last") else mistakes
        otherwise = (
            "wrong_step",
            f"Given this score and this noise, your {name} leads to another state than the formula. "
            "Set the score to zero first, then the noise: which of the two terms is wrong? "
            f"The scores here reach {float(step.inputs.score.abs().max()):.3g}.",
        )
        fail_on_ring(judge, actual, known, step, otherwise, tolerance)


def verdict(judge: Judge) -> None:
    """Two points for the predictor, one for the corrector."""
    with judge.part("predictor", points=2):
        judge_steps(judge, "predictor", predicted, PREDICTOR_MISTAKES)
        require_samples_apart(judge, "predictor")
        require_terms(judge, "predictor")
        judge.device("predictor_device")
    with judge.part("corrector", points=1):
        judge_steps(judge, "corrector", corrected, CORRECTOR_MISTAKES)
        require_samples_apart(judge, "corrector")
        require_terms(judge, "corrector")
        judge.device("corrector_device")
