"""Terms that are added to the loss of score matching.

All are evaluated at uniformly drawn states, most of which are far from the data.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from utils.atoms import NoiseSchedule, uniform_states
from utils.experiments.answers import Answers


def score_of(model: nn.Module, schedule: NoiseSchedule):
    """Turn a network that returns sigma * score into the score s(x, t). Time enters twice: in the network and in sigma.

    Args:
        model: maps x of shape (b, 2) and t of shape (b, 1) to sigma * score, shape (b, 2).
        schedule: the noise schedule.

    Returns:
        A function of x and t that returns the score.
    """
    return lambda x, t: model(x, t) / schedule.sigma(t)


def states_and_times(model: nn.Module, n: int) -> tuple[Tensor, Tensor]:
    """Draw uniform states and times.

    Args:
        model: gives device and dtype.
        n: how many, at least 1.

    Returns:
        States in [0, 1), shape (n, 2), and times in [0, 1), shape (n, 1).
    """
    like = next(model.parameters())
    return uniform_states(n, like.device, like.dtype), torch.rand(n, 1, device=like.device, dtype=like.dtype)


def analytical_regression(
    model: nn.Module, schedule: NoiseSchedule, answers: Answers, batch: int, sigma_d: float
) -> Tensor:
    """Return the mean squared difference between the network and the exact sigma * score.

    Args:
        model: the network.
        schedule: the noise schedule.
        answers: needs `analytic_score`.
        batch: how many states.
        sigma_d: the standard deviation of the data.

    Returns:
        The term, shape ().

    Raises:
        MissingAnswer: the answer is missing.
    """
    x, t = states_and_times(model, batch)
    sigma = schedule.sigma(t)
    return (model(x, t) - sigma * answers.need("analytic_score")(x, sigma, sigma_d)).square().mean()


def fokker_planck(model: nn.Module, schedule: NoiseSchedule, answers: Answers, batch: int, sigma_d: float) -> Tensor:
    """Return the mean squared residual of the Fokker-Planck equation for the score.

    Args:
        model: the network.
        schedule: the noise schedule.
        answers: needs `fokker_planck_residual`.
        batch: how many states.
        sigma_d: not used.

    Returns:
        The term, shape ().

    Raises:
        MissingAnswer: the answer is missing.

    References:
        Lai et al. (2023), "FP-Diffusion: improving score-based diffusion models by enforcing the underlying score
        Fokker-Planck equation".
    """
    x, t = states_and_times(model, batch)
    return answers.need("fokker_planck_residual")(score_of(model, schedule), x, t, schedule.sigma).square().mean()


def consistency(
    model: nn.Module,
    schedule: NoiseSchedule,
    answers: Answers,
    batch: int,
    sigma_d: float,
    steps: int = 5,
    guide: str = "model",
    grid: int = 100,
) -> Tensor:
    """Return the mean squared difference between the network and a target that a short walk gives.

    From uniform states, a few predictor steps are taken back in time without gradients. Where they end tells what the
    score at the start should be.

    Args:
        model: the network.
        schedule: the noise schedule.
        answers: needs `predictor_step` and `consistency_target`, and `analytic_score` for the exact guide.
        batch: how many states.
        sigma_d: the standard deviation of the data.
        steps: the length of the walk, at least 1; with one step of the network's own score, the expected gradient is
            zero.
        guide: whose score drives the walk, `model` or `exact`.
        grid: a step takes 1 / grid of the time.

    Returns:
        The term, shape ().

    Raises:
        ValueError: `guide` is neither `model` nor `exact`.
        MissingAnswer: an answer is missing.
    """
    if guide not in ("model", "exact"):
        raise ValueError(f"guide is {guide!r}; it must be 'model' or 'exact'")
    x, t = states_and_times(model, batch)
    t = t[:1].mul(1 - steps / grid).add(steps / grid).expand(batch, 1)  # one time for all, late enough for the walk
    step = answers.need("predictor_step")
    y = x
    with torch.no_grad():
        for i in range(steps):
            now, later = (schedule.sigma((t - j / grid).clamp(min=0)) for j in (i, i + 1))
            s = model(y, t - i / grid) / now if guide == "model" else answers.need("analytic_score")(y, now, sigma_d)
            y = step(y, s, now, later, torch.randn_like(y))
        target = answers.need("consistency_target")(x, y, schedule.sigma(t), later)
    return (model(x, t) - target).square().mean()


NEEDS = {  # the answers that each is made of
    "analytical_regression": ("analytic_score",),
    "fokker_planck": ("fokker_planck_residual",),
    "consistency": ("predictor_step", "consistency_target"),
}
REGULARISERS = {f.__name__: f for f in (analytical_regression, fokker_planck, consistency)}
