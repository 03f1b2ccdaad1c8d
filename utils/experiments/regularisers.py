"""Terms that are added to the loss of score matching. All look at states drawn uniformly, where data are rare.

Each is a function of the network (sigma · score), the schedule, the answers, a batch size and its own options.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from utils.atoms import NoiseSchedule, uniform_states
from utils.experiments.answers import Answers


def score_of(model: nn.Module, schedule: NoiseSchedule):
    """The un-normalised score s(x, t) of a network that returns sigma · s. Time enters twice."""
    return lambda x, t: model(x, t) / schedule.sigma(t)


def states_and_times(model: nn.Module, n: int) -> tuple[Tensor, Tensor]:
    like = next(model.parameters())
    return uniform_states(n, like.device, like.dtype), torch.rand(n, 1, device=like.device, dtype=like.dtype)


def analytical_regression(
    model: nn.Module, schedule: NoiseSchedule, answers: Answers, batch: int, sigma_d: float
) -> Tensor:
    """Mean squared difference of sigma · score from the exact one."""
    x, t = states_and_times(model, batch)
    sigma = schedule.sigma(t)
    return (model(x, t) - sigma * answers.need("analytic_score")(x, sigma, sigma_d)).square().mean()


def fokker_planck(model: nn.Module, schedule: NoiseSchedule, answers: Answers, batch: int, sigma_d: float) -> Tensor:
    """Mean squared residual of the Fokker-Planck equation, of the un-normalised score."""
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
    """From uniform states walk `steps` predictor steps back in time, without gradients; their ends say what the score at the start should be.

    guide: whose score drives the walk, `model` or `exact`. One step of 1 / grid of the time each.
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
