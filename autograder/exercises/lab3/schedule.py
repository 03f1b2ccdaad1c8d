"""Exercise 3.1: the hidden verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from autograder.exercises.kits.noise_levels import NoiseLevels
from autograder.exercises.kits.step_functions import fail_if_known
from utils.checks.challenge import Challenge
from utils.checks.judging import Failure, Judge
from utils.checks.kits.batches import DOUBLE
from utils.checks.kits.requirements import require_float32_digits
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.kits.step_functions import judge_function
from utils.checks.lab3.schedule import LENGTHS, NOISE, Inputs, judge_schedules, require_schedule
from utils.checks.lab3.three_sigmas import SIGMAS, inputs_of, judge_sigmas


def spaced(start: float, end: float, steps: int) -> Tensor:
    """Return `steps` equally spaced float64 numbers from `start` to `end`."""
    return torch.linspace(start, end, steps, dtype=torch.float64)


BETA_MISTAKES = [
    Mistake(
        "backwards",
        lambda betas: betas.flip(0),
        "Your betas fall. The first step, t = 0, adds the least noise.",
    ),
    Mistake(
        "quadratic",
        lambda betas: spaced(1e-2, 0.02**0.5, len(betas)) ** 2,
        "Your betas are not equally spaced: their square roots are.",
    ),
    Mistake(
        "other_ends",
        lambda betas: betas * (1000 / len(betas) if len(betas) != 1000 else 10),
        "Your betas have other ends, as in another schedule. They run from 0.0001 to 0.02 for every T.",
    ),
    Mistake(
        "end_left_out",
        lambda betas: 1e-4 + (0.02 - 1e-4) * torch.arange(len(betas)).double() / len(betas),
        "Your last beta is less than 0.02. Both ends belong to the schedule.",
    ),
]

ALPHA_MISTAKES = [
    Mistake(
        "root_of_alpha",
        lambda betas: (1 - betas).sqrt(),
        "Your alphas are square roots. alpha is 1 - beta, a share of the variance.",
    ),
]

ALPHA_BAR_MISTAKES = [
    Mistake(
        "no_product",
        lambda betas: 1 - betas,
        "Your alpha_bars are the alphas. alpha_bar is the product of all alphas up to t.",
    ),
    Mistake(
        "sum_for_product",
        lambda betas: (1 - betas).cumsum(0),
        "Your alpha_bars are sums of the alphas. They should be products.",
    ),
    Mistake(
        "one_minus_sum",
        lambda betas: 1 - betas.cumsum(0),
        "Your alpha_bars are 1 minus the sum of the betas. That is only the product's first-order approximation.",
    ),
    Mistake(
        "bars_shifted",
        lambda betas: torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas).cumprod(0)[:-1]]),
        "Your alpha_bars begin with 1. The product at t includes the factor of step t itself.",
    ),
    Mistake(
        "root_of_bars",
        lambda betas: (1 - betas).cumprod(0).sqrt(),
        "Your alpha_bars are square roots of the products.",
    ),
    Mistake(
        "bars_backwards",
        lambda betas: (1 - betas).flip(0).cumprod(0).flip(0),
        "Your products run from the last step to the first.",
    ),
    Mistake(
        "product_of_betas",
        lambda betas: betas.cumprod(0),
        "You multiply betas. alpha_bar is the product of the alphas.",
    ),
]


@dataclass(frozen=True)
class Noising:
    """What x_t is made of."""

    x0: Tensor
    noise: Tensor
    levels: NoiseLevels
    alpha_bar_of_column: Tensor | None = None  # where (b,) broadcasts along the last axis of x0 without an error

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Noising:
        """Return the quantities of the noised samples that the challenge asks for."""
        inputs, schedule = Inputs.of(challenge, run), schedule_of_run(challenge, run, DOUBLE)
        return cls(
            x0=inputs.x0.double(),
            noise=inputs.noise.double(),
            levels=NoiseLevels.of(schedule, inputs.t, inputs.x0),
            alpha_bar_of_column=schedule.alpha_bars[inputs.t] if run == "square" else None,
        )

    @property
    def factors(self) -> dict[str, Tensor]:
        """The right factors of each sample, (b,)."""
        return {"x0": self.levels.alpha_bar.sqrt().flatten(), "noise": self.levels.total.flatten()}

    def mix(self, data: Tensor | float, noise: Tensor | float) -> Tensor:
        """Return data * x0 + noise * the noise, for the two factors."""
        return data * self.x0 + noise * self.noise

    def mix_by_column(self) -> Tensor:
        """Return the mixture with each column's alpha_bar, where each sample's is needed."""
        bar = self.alpha_bar_of_column
        assert bar is not None, "only the square run can be mixed by column"
        return self.mix(bar.sqrt(), (1 - bar).sqrt())


NOISING_MISTAKES = [
    Mistake(
        "no_root",
        lambda n: n.mix(n.levels.alpha_bar, 1 - n.levels.alpha_bar),
        "You multiply by alpha_bar and by 1 - alpha_bar. These are variances: take their roots.",
    ),
    Mistake(
        "no_root_on_data",
        lambda n: n.mix(n.levels.alpha_bar, n.levels.total),
        "You multiply the data by alpha_bar, which is a share of the variance. Take its root.",
    ),
    Mistake(
        "no_root_on_noise",
        lambda n: n.mix(n.levels.alpha_bar.sqrt(), 1 - n.levels.alpha_bar),
        "You multiply the noise by a variance. Take its root.",
    ),
    Mistake(
        "alpha_for_alpha_bar",
        lambda n: n.mix(n.levels.alpha.sqrt(), (1 - n.levels.alpha).sqrt()),
        "You use alpha_t, the factor of one step. After t steps it is the product of all of them.",
    ),
    Mistake(
        "sigma_of_one_step",
        lambda n: n.mix(n.levels.alpha_bar.sqrt(), n.levels.step),
        "You add the noise of one step, sqrt(beta_t). x_t contains the noise of all steps up to t.",
    ),
    Mistake(
        "swapped",
        lambda n: n.mix(n.levels.total, n.levels.alpha_bar.sqrt()),
        "The factors of data and noise are swapped.",
    ),
    Mistake(
        "noise_missing",
        lambda n: n.mix(n.levels.alpha_bar.sqrt(), 0),
        "Your x_t contains no noise.",
    ),
    Mistake(
        "noise_not_scaled",
        lambda n: n.mix(n.levels.alpha_bar.sqrt(), 1),
        "You add the noise at full size at every t.",
    ),
    Mistake(
        "data_not_scaled",
        lambda n: n.mix(1, n.levels.total),
        "You keep the data at full size, so the variance of x_t grows above 1.",
    ),
    Mistake(
        "noise_subtracted",
        lambda n: n.mix(n.levels.alpha_bar.sqrt(), -n.levels.total),
        "You subtract the noise. That has the same distribution, but this noise was given: add it.",
    ),
    Mistake(
        "one_minus_root",
        lambda n: n.mix(n.levels.alpha_bar.sqrt(), 1 - n.levels.alpha_bar.sqrt()),
        "You use 1 - sqrt(alpha_bar) where sqrt(1 - alpha_bar) is needed.",
    ),
]

NOT_BROADCAST = Mistake(
    "not_broadcast",
    Noising.mix_by_column,
    "Each *column* of x gets the t of another sample, because shape (b,) broadcasts along the last axis. "
    "Give it the shape (b, 1, …, 1).",
)


@dataclass(frozen=True)
class Sigma:
    """One of the three sigmas, and all of them."""

    label: str
    values: dict[str, Tensor]
    levels: NoiseLevels

    @property
    def expected(self) -> Tensor:
        """The values of the sigma that was asked for."""
        return self.values[self.label]

    def other(self, index: int) -> str:
        """Return the name of one of the two other sigmas."""
        return [label for label in SIGMAS if label != self.label][index]


def name_of_other(index: int):
    """Return a message that names the other sigma which the student computed."""
    return lambda s: f"Your '{s.label}' is the sigma called '{s.other(index)}' in the table."


SIGMA_MISTAKES = [
    Mistake(
        "variance_for_sigma",
        lambda s: s.expected**2,
        lambda s: f"Your '{s.label}' is a variance. A sigma is its square root.",
    ),
    Mistake("sigmas_swapped", lambda s: s.values[s.other(0)], name_of_other(0)),
    Mistake("sigmas_swapped", lambda s: s.values[s.other(1)], name_of_other(1)),
    Mistake(
        "posterior_of_beta_only",
        lambda s: s.levels.step,
        "The two bars in your posterior's variance belong to the same step, so they cancel. "
        "The one in the numerator belongs to t - 1.",
    ),
    Mistake(
        "alpha_for_alpha_bar",
        lambda s: (1 - s.levels.alpha).sqrt(),
        "You use alpha_t, the factor of one step. The noise of x_t comes from all steps: use the product alpha_bar_t.",
    ),
]


def verdict(judge: Judge) -> None:
    """Judge the three functions, each as a part of its own."""
    with judge.part("schedule", points=0.5):
        try:
            judge_schedules(judge)
        except Failure:
            explain_schedules(judge)
            raise
    with judge.part("noise", points=1):
        judge_function(
            judge, NOISE, lambda run: Noising.of(judge.challenge, run).factors,
            lambda *wrong: explain_noised(judge, *wrong),
        )  # fmt: skip
    with judge.part("sigmas", points=0.5):
        judge_sigmas(judge, lambda run: sigmas_of(judge.challenge, run), lambda *wrong: explain_sigma(judge, *wrong))


def explain_schedules(judge: Judge) -> None:
    """Fail with the mistake of a table that explains a wrong schedule, if its fields have the right form."""
    for name in LENGTHS:
        fields = require_schedule(judge, name)
        betas = spaced(1e-4, 0.02, LENGTHS[name])
        for field, right, mistakes in (
            ("betas", betas, BETA_MISTAKES),
            ("alphas", 1 - betas, ALPHA_MISTAKES),
            ("alpha_bars", (1 - betas).cumprod(0), ALPHA_BAR_MISTAKES),
        ):
            actual = fields[field]
            if not judge.close(actual, right, 1e-4):
                fail_if_known(judge, lambda wrong: judge.close(actual, wrong, 1e-4), mistakes, betas)  # noqa: B023
                return


def explain_noised(judge: Judge, run: str, actual: Tensor, same: Callable[[Tensor], bool]) -> None:
    """Fail with the mistake of the table, or the few digits, that explain a wrong sample, if there is one."""
    mistakes = [*NOISING_MISTAKES, NOT_BROADCAST] if run == "square" else NOISING_MISTAKES
    fail_if_known(judge, same, mistakes, Noising.of(judge.challenge, run))
    require_float32_digits(judge, actual, "The result of `add_noise`")


def levels_of(challenge: Challenge, run: str) -> NoiseLevels:
    """Return the noise levels of a run of `three_sigmas`, (b,) each."""
    t, _ = inputs_of(challenge, run)
    return NoiseLevels.of(schedule_of_run(challenge, run, DOUBLE), t, torch.zeros(len(t)))


def sigmas_of(challenge: Challenge, run: str) -> dict[str, Tensor]:
    """Return the right sigmas of a run, (b,) each."""
    levels = levels_of(challenge, run)
    return dict(zip(SIGMAS, (levels.step, levels.total, levels.posterior)))


def explain_sigma(judge: Judge, run: str, label: str, right: dict[str, Tensor], same: Callable[[Tensor], bool]) -> None:
    """Fail with the mistake of the table that explains a wrong sigma, if there is one."""
    fail_if_known(judge, same, SIGMA_MISTAKES, Sigma(label, right, levels_of(judge.challenge, run)))
