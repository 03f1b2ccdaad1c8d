"""x"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from utils.atoms import (
    NoiseSchedule,
    TwoAtoms,
    distance_to_crystal,
    generate,
    states_on_a_grid,
    uniform_states,
)
from utils.experiments import Experiment
from utils.runtime import seed_everything

Results = Mapping[str, Mapping[str, Tensor]]


TIMES = tuple(round(0.05 * i, 2) for i in range(1, 21))


LINE_TIMES = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0)


SNAPSHOT = 0.4  # the time of the still pictures: there the networks differ most


RECORDED = (0, 7, 14, 18, 21)  # steps of a walk of 21 steps whose states are kept


def noised_states(schedule: NoiseSchedule, t: float, n: int, sigma_d: float, device: torch.device | str) -> Tensor:
    """States of the forward process at time t, with the two atoms swapped in every second one: shape (n, 2)."""
    x0, _ = TwoAtoms(sigma_d, device).sample(n)
    x0[::2] = x0[::2].flip(1)
    return schedule.add_noise(x0, torch.full((n, 1), t, device=device), torch.randn_like(x0))


def rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


@torch.no_grad()
def normalised_score(experiment: Experiment, x: Tensor, t: float, exact: bool = False) -> Tensor:
    """sigma times the score at one time, shape of x."""
    time = torch.full((len(x), 1), t, device=x.device)
    score = experiment.exact_score if exact else experiment.score
    return experiment.schedule.sigma(time) * score(x, time)


def error_by_time(
    experiment: Experiment, times: Iterable[float] = TIMES, grid: int = 50, states: int = 2500
) -> dict[str, Tensor]:
    """Root mean squared error of sigma · score, at states on a uniform grid and at states of the forward process.

    The first says how wrong the score is anywhere; the second weighs each place by its density at that time.
    """
    device = device_of(experiment)
    uniform, weighted = states_on_a_grid(grid, device), []
    rows = []
    for t in times:
        rare = normalised_score(experiment, uniform, t) - normalised_score(experiment, uniform, t, exact=True)
        x = noised_states(experiment.schedule, t, states, experiment.config.sigma_d, device)
        common = normalised_score(experiment, x, t) - normalised_score(experiment, x, t, exact=True)
        rows.append(rms(rare))
        weighted.append(rms(common))
    return {"uniform": torch.tensor(rows), "weighted": torch.tensor(weighted)}


def score_along_line(
    experiment: Experiment, times: Iterable[float] = LINE_TIMES, points: int = 201
) -> dict[str, Tensor]:
    """sigma · score along the line from (0, 1) to (1, 0), projected on its direction: shape (times, points)."""
    u = torch.linspace(0, 1, points, device=device_of(experiment))
    x = torch.stack([u, 1 - u], dim=1)
    direction = torch.tensor([1.0, -1.0], device=u.device) / math.sqrt(2)
    both = {"line": False, "line_exact": True}
    return {
        key: torch.stack([normalised_score(experiment, x, t, exact) @ direction for t in times]).cpu()
        for key, exact in both.items()
    }


def walks(experiment: Experiment, states: int = 2000, steps: int = 21) -> dict[str, Tensor]:
    """States generated with predictor and corrector, at five times of the walk, and forward states at these times."""
    answers, device = experiment.answers, device_of(experiment)
    steppers = answers.need("predictor_step"), answers.need("corrector_step")
    with torch.no_grad():
        _, walk = generate(
            experiment.score, experiment.schedule, *steppers, uniform_states(states, device), steps, every=1
        )
    kept = [round(i * steps / RECORDED[-1]) for i in RECORDED]
    forward = [
        noised_states(experiment.schedule, 1 - i / steps, states, experiment.config.sigma_d, device) for i in kept
    ]
    return {
        "walk": walk[kept].cpu(),
        "forward": torch.stack(forward).cpu(),
        "walk_times": 1 - torch.tensor(kept) / steps,
    }


def field(
    experiment: Experiment, frames: int = 31, grid: int = 24, bins: int = 60, states: int = 100_000
) -> dict[str, Tensor]:
    """sigma · score on a grid, and the density counted from forward states, at times from 1 to 0: the film's frames."""
    device = device_of(experiment)
    x = states_on_a_grid(grid, device)
    times = torch.linspace(1, 0, frames)
    arrows = torch.stack([normalised_score(experiment, x, float(t)) for t in times])
    densities = []
    for t in times:
        seen = noised_states(experiment.schedule, float(t), states, experiment.config.sigma_d, device).cpu().numpy()
        count, _, _ = np.histogram2d(*seen.T, bins=bins, range=[[0, 1], [0, 1]])
        blur = 0.4 + 0.15 * bins * float(experiment.schedule.sigma(t))  # in bins: less than the density's own width
        densities.append(gaussian_filter(count * bins**2 / states, blur, mode="wrap"))
    return {"field": arrows.cpu(), "density": torch.tensor(np.array(densities)).float(), "film_times": times}


def measure(
    experiment: Experiment, states: int = 2000, grid: int = 50, frames: int = 31, seed: int = 0
) -> dict[str, Tensor]:
    """Everything that the figures show of one experiment. The same seed for all: they walk from the same states."""
    seed_everything(seed)
    result = error_by_time(experiment, grid=grid) | score_along_line(experiment) | walks(experiment, states)
    result["snapshot"] = normalised_score(experiment, states_on_a_grid(22, device_of(experiment)), SNAPSHOT).cpu()
    if frames:
        result |= field(experiment, frames)
    result["history"] = torch.tensor(experiment.history)
    result["milliseconds"] = torch.tensor(experiment.milliseconds_a_step)
    return result


def total_variation(one: Tensor, other: Tensor, bins: int = 16) -> float:
    """Half the sum of the differences of two histograms on the square: 0 for the same law (up to luck), 1 for disjoint ones."""
    counts = [torch.histogramdd(x.cpu(), [bins, bins], range=[0.0, 1.0, 0.0, 1.0]).hist / len(x) for x in (one, other)]
    return float((counts[0] - counts[1]).abs().sum() / 2)


def device_of(experiment: Experiment) -> torch.device:
    return next(experiment.model.parameters()).device if experiment.model is not None else torch.device("cpu")


def summary(result: Mapping[str, Tensor]) -> dict[str, object]:
    """The numbers of one experiment that a table shows."""
    radius = distance_to_crystal(result["walk"][-1].float())
    return {
        "steps": len(result["history"]),
        "milliseconds a step": round(float(result["milliseconds"]), 2),
        "last loss": round(float(result["history"][-100:].mean()), 4) if len(result["history"]) else None,
        "error anywhere, by time": dict(zip(map(str, TIMES), [round(v, 4) for v in result["uniform"].tolist()])),
        "error where states are, by time": dict(
            zip(map(str, TIMES), [round(v, 4) for v in result["weighted"].tolist()])
        ),
        "mean distance to the crystal": round(float(radius.mean()), 5),
        "share beyond 0.06": round(float((radius > 0.06).float().mean()), 5),
    }
