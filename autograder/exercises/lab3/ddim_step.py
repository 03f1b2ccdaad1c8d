"""Exercise 3.6: the hidden verdict."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from autograder.exercises.kits.step_functions import fail_if_known
from utils.checks.challenge import Challenge
from utils.checks.judging import Judge
from utils.checks.kits.batches import DOUBLE
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.kits.step_functions import judge_function
from utils.checks.lab3.ddim_step import STEP, Inputs
from utils.diffusion import gather_per_sample


@dataclass(frozen=True)
class Jump:
    """What a DDIM step is made of. alpha_bar and its kin have the shape (b, 1, …, 1)."""

    x: Tensor
    noise_estimate: Tensor
    t: Tensor
    t_prev: Tensor
    alpha_bars: Tensor  # (T,)
    alpha_bar: Tensor  # at t
    alpha_bar_prev: Tensor  # at t_prev, 1 for the data

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Jump:
        """Return the quantities of the step that the challenge asks for."""
        inputs, alpha_bars = Inputs.of(challenge, run), schedule_of_run(challenge, run, DOUBLE).alpha_bars
        return cls(
            x=inputs.x.double(),
            noise_estimate=inputs.noise_estimate.double(),
            t=inputs.t,
            t_prev=inputs.t_prev,
            alpha_bars=alpha_bars,
            alpha_bar=gather_per_sample(alpha_bars, inputs.t, inputs.x),
            alpha_bar_prev=gather_per_sample(with_data(alpha_bars), inputs.t_prev, inputs.x),
        )

    def x0(self, sigma: Tensor | float | None = None, root: Tensor | float | None = None) -> Tensor:
        """Return the data behind x: x less sigma times the estimate, divided by a root. The right ones by default."""
        sigma = (1 - self.alpha_bar).sqrt() if sigma is None else sigma
        return (self.x - sigma * self.noise_estimate) / (self.alpha_bar.sqrt() if root is None else root)

    def mix(self, x0: Tensor, alpha_bar_prev: Tensor | None = None) -> Tensor:
        """Return the data, with the estimated noise at t_prev."""
        bar = self.alpha_bar_prev if alpha_bar_prev is None else alpha_bar_prev
        return bar.sqrt() * x0 + (1 - bar).sqrt() * self.noise_estimate

    @property
    def factors(self) -> dict[str, Tensor]:
        """The right factors of each sample, (b,)."""
        scale = (self.alpha_bar_prev / self.alpha_bar).sqrt()
        noise = (1 - self.alpha_bar_prev).sqrt() - scale * (1 - self.alpha_bar).sqrt()
        return {"x": scale.flatten(), "noise_estimate": noise.flatten()}

    @property
    def right(self) -> Tensor:
        """The result of a right step."""
        return self.mix(self.x0())

    def land_at(self, alpha_bar_prev: Tensor) -> Tensor:
        """Return the right step to another noise level."""
        return self.mix(self.x0(), alpha_bar_prev)

    @property
    def backwards(self) -> Tensor:
        """The step from t_prev to t."""
        bar = self.alpha_bar_prev
        return self.mix(self.x0((1 - bar).sqrt(), bar.sqrt()), self.alpha_bar)


def with_data(alpha_bars: Tensor) -> Tensor:
    """Return alpha_bars with a 1 at its end, so that index -1 is the data."""
    return torch.cat([alpha_bars, torch.ones(1, dtype=torch.float64)])


MISTAKES = [
    Mistake(
        "wrapped",
        lambda j: j.land_at(gather_per_sample(j.alpha_bars, j.t_prev, j.x)),
        "You read alpha_bars[-1], which is the *last* element, the noisiest. "
        "At t_prev = -1 there is no noise, so alpha_bar is 1.",
    ),
    Mistake(
        "clamped_index",
        lambda j: j.land_at(torch.where(j.alpha_bar_prev == 1, j.alpha_bars[0], j.alpha_bar_prev)),
        "At t_prev = -1 you use alpha_bar of t = 0. The data itself has alpha_bar = 1.",
    ),
    Mistake(
        "data_too_early",
        lambda j: j.land_at(torch.where(j.alpha_bar_prev == j.alpha_bars[0], 1.0, j.alpha_bar_prev)),
        "At t_prev = 0 you return the data. A little noise is left there: only t_prev = -1 is the data.",
    ),
    Mistake(
        "single_steps",
        lambda j: j.land_at(gather_per_sample(with_data(j.alpha_bars), j.t - 1, j.x)),
        "You always step to t - 1 and ignore t_prev. Large jumps are the purpose of DDIM.",
    ),
    Mistake(
        "clean_estimate",
        lambda j: j.x0(),
        "You return the estimate of the data. The noise that is left at t_prev has to be added again.",
    ),
    Mistake(
        "noise_not_put_back",
        lambda j: j.alpha_bar_prev.sqrt() * j.x0(),
        "The noise of t_prev is missing: you only scale the estimate of the data.",
    ),
    Mistake(
        "data_not_scaled",
        lambda j: j.x0() + (1 - j.alpha_bar_prev).sqrt() * j.noise_estimate,
        "At t_prev the data has the factor sqrt(alpha_bar_prev). Yours has its full size.",
    ),
    Mistake(
        "no_root",
        lambda j: j.alpha_bar_prev * j.x0() + (1 - j.alpha_bar_prev) * j.noise_estimate,
        "You use alpha_bar_prev and 1 - alpha_bar_prev as factors. These are variances: take their roots.",
    ),
    Mistake(
        "noise_not_removed",
        lambda j: j.mix(j.x0(sigma=0)),
        "You do not subtract the noise from x before you rescale it.",
    ),
    Mistake(
        "not_rescaled",
        lambda j: j.mix(j.x0(root=1)),
        "You do not divide the estimate of the data by sqrt(alpha_bar_t).",
    ),
    Mistake(
        "variance_for_sigma",
        lambda j: j.mix(j.x0(sigma=1 - j.alpha_bar)),
        "You subtract (1 - alpha_bar_t) times the noise, where the root of that factor is needed.",
    ),
    Mistake(
        "divided_by_bar",
        lambda j: j.mix(j.x0(root=j.alpha_bar)),
        "You divide by alpha_bar_t where its root is needed.",
    ),
    Mistake(
        "wrong_sign",
        lambda j: j.mix(j.x0(sigma=-((1 - j.alpha_bar).sqrt()))),
        "You add the noise estimate to x where it has to be subtracted.",
    ),
    Mistake(
        "noise_subtracted",
        lambda j: j.alpha_bar_prev.sqrt() * j.x0() - (1 - j.alpha_bar_prev).sqrt() * j.noise_estimate,
        "You subtract the noise of t_prev. The new point contains the same noise estimate: add it.",
    ),
    Mistake("swapped", lambda j: j.backwards, "t and t_prev are swapped, so you add noise."),
    Mistake(
        "old_noise",
        lambda j: j.alpha_bar_prev.sqrt() * j.x0() + (1 - j.alpha_bar).sqrt() * j.noise_estimate,
        "You add the noise of t again, not that of t_prev.",
    ),
    Mistake(
        "clamped",
        lambda j: j.mix(j.x0().clamp(-1, 1)),
        "Your estimate of the data is cut off at -1 and 1. "
        "That is often useful, but this exercise asks for the plain step.",
    ),
]


def verdict(judge: Judge) -> None:
    """Judge each run by its value."""
    with judge.part("step", points=2):
        judge_function(
            judge, STEP, lambda run: Jump.of(judge.challenge, run).factors,
            lambda run, _, same: fail_if_known(judge, same, MISTAKES, Jump.of(judge.challenge, run)),
        )  # fmt: skip
