"""Measurements of lab 2's experiments: errors of the score, generated states, and the frames of the films.

Densities are counted from noisy states and never computed from a formula, so that they give no answer away.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from jaxtyping import Float, jaxtyped
from torch import Tensor
from typeguard import typechecked

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
    """Draw states of the forward process at one time. In every second state, the two atoms are swapped.

    Args:
        schedule: the noise schedule.
        t: the time, in [0, 1].
        n: how many, at least 1.
        sigma_d: the standard deviation of the data.
        device: where they are created.

    Returns:
        States in [0, 1), shape (n, 2).
    """
    x0, _ = TwoAtoms(sigma_d, device).sample(n)
    x0[::2] = x0[::2].flip(1)
    return schedule.add_noise(x0, torch.full((n, 1), t, device=device), torch.randn_like(x0))


def rms(values: Tensor) -> float:
    """Return the root mean square.

    Args:
        values: any shape.

    Returns:
        A number, at least 0.

    Example:
        >>> rms(torch.tensor([3.0, -3.0]))
        3.0
    """
    return float(values.square().mean().sqrt())


@torch.no_grad()
def normalised_score(experiment: Experiment, x: Tensor, t: float, exact: bool = False) -> Tensor:
    """Return sigma * score at one time.

    Args:
        experiment: whose score.
        x: states, shape (b, 2).
        t: the time, in [0, 1].
        exact: take the exact score instead of the learned one.

    Returns:
        The products, shape of x.
    """
    time = torch.full((len(x), 1), t, device=x.device)
    score = experiment.exact_score if exact else experiment.score
    return experiment.schedule.sigma(time) * score(x, time)


def error_by_time(
    experiment: Experiment, times: Iterable[float] = TIMES, grid: int = 50, states: int = 2500
) -> dict[str, Tensor]:
    """Return the root mean squared error of sigma * score, on a uniform grid and at states of the forward process.

    The first says how wrong the score is anywhere. The second weights each place by its density at that time.

    Args:
        experiment: whose score.
        times: the times, in [0, 1].
        grid: the side of the uniform grid, at least 1.
        states: how many states of the forward process.

    Returns:
        `uniform` and `weighted`, both of shape (times,); and `uniform_of_nothing` and `weighted_of_nothing`, the errors
        of a network that returns 0.
    """
    device = device_of(experiment)
    uniform = states_on_a_grid(grid, device)
    errors: dict[str, list[float]] = defaultdict(list)
    for t in times:
        common = noised_states(experiment.schedule, t, states, experiment.config.sigma_d, device)
        for name, x in (("uniform", uniform), ("weighted", common)):
            exact = normalised_score(experiment, x, t, exact=True)
            errors[name].append(rms(normalised_score(experiment, x, t) - exact))
            errors[f"{name}_of_nothing"].append(rms(exact))
    return {name: torch.tensor(values) for name, values in errors.items()}


def score_along_line(
    experiment: Experiment, times: Iterable[float] = LINE_TIMES, points: int = 201
) -> dict[str, Tensor]:
    """Return sigma * score along the line from (0, 1) to (1, 0), projected on the line's direction.

    Args:
        experiment: whose score.
        times: the times, in [0, 1].
        points: points on the line, at least 2.

    Returns:
        `line` (learned) and `line_exact`, both of shape (times, points).
    """
    u = torch.linspace(0, 1, points, device=device_of(experiment))
    x = torch.stack([u, 1 - u], dim=1)
    direction = torch.tensor([1.0, -1.0], device=u.device) / math.sqrt(2)
    both = {"line": False, "line_exact": True}
    return {
        key: torch.stack([normalised_score(experiment, x, t, exact) @ direction for t in times]).cpu()
        for key, exact in both.items()
    }


def walks(experiment: Experiment, states: int = 2000, steps: int = 21) -> dict[str, Tensor]:
    """Generate states with predictor and corrector, and draw forward states at the same times.

    Args:
        experiment: whose score.
        states: how many states.
        steps: the number of predictor steps.

    Returns:
        `walk` and `forward`, both of shape (5, states, 2), and `walk_times`, shape (5,).
    """
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
    """Return the frames of the film: sigma * score on a grid, and the density counted from forward states.

    Args:
        experiment: whose score.
        frames: the number of times, from 1 down to 0.
        grid: the side of the grid of arrows.
        bins: the side of the density's grid.
        states: how many states are counted for each frame.

    Returns:
        `field`, shape (frames, grid², 2); `density`, shape (frames, bins, bins); `film_times`, shape (frames,).
    """
    from scipy.ndimage import gaussian_filter

    device = device_of(experiment)
    x = states_on_a_grid(grid, device)
    times = torch.linspace(1, 0, frames)
    arrows = torch.stack([normalised_score(experiment, x, float(t)) for t in times])
    densities = []
    for t in times:
        points = noised_states(experiment.schedule, float(t), states, experiment.config.sigma_d, device).cpu().numpy()
        count, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=bins, range=[[0, 1], [0, 1]])
        width = float(experiment.schedule.sigma(t.reshape(1, 1)))
        blur = 0.4 + 0.15 * bins * width  # in bins: less than the density's own width
        densities.append(gaussian_filter(count * bins**2 / states, blur, mode="wrap"))
    return {"field": arrows.cpu(), "density": torch.tensor(np.array(densities)).float(), "film_times": times}


def measure(
    experiment: Experiment, states: int = 2000, grid: int = 50, frames: int = 31, seed: int = 0
) -> dict[str, Tensor]:
    """Measure everything that the figures show of one experiment.

    Args:
        experiment: a finished experiment.
        states: how many states are generated.
        grid: the side of the grid on which errors are measured.
        frames: the number of frames of the film; 0 for none.
        seed: the same seed makes all experiments walk from the same states.

    Returns:
        Tensors by name: those of `error_by_time`, `score_along_line`, `walks` and `field`, and `snapshot`, `history`
        and `milliseconds`.
    """
    seed_everything(seed)
    result = error_by_time(experiment, grid=grid) | score_along_line(experiment) | walks(experiment, states)
    result["snapshot"] = normalised_score(experiment, states_on_a_grid(22, device_of(experiment)), SNAPSHOT).cpu()
    if frames:
        result |= field(experiment, frames)
    result["history"] = torch.tensor(experiment.history)
    result["milliseconds"] = torch.tensor(experiment.milliseconds_a_step)
    return result


@jaxtyped(typechecker=typechecked)
def total_variation(one: Float[Tensor, "n 2"], other: Float[Tensor, "m 2"], bins: int = 16) -> float:
    """Return half the sum of the differences of two histograms on the square.

    Args:
        one: states in [0, 1), shape (n, 2).
        other: states in [0, 1), shape (m, 2).
        bins: bins along each side.

    Returns:
        A number in [0, 1]: 1 for disjoint distributions. For equal ones it is above 0 only by chance.

    Example:
        >>> total_variation(torch.full((5, 2), 0.1), torch.full((9, 2), 0.9))
        1.0
    """
    counts = [torch.histogramdd(x.cpu(), [bins, bins], range=[0.0, 1.0, 0.0, 1.0]).hist / len(x) for x in (one, other)]
    return float((counts[0] - counts[1]).abs().sum() / 2)


def device_of(experiment: Experiment) -> torch.device:
    """Return the device of an experiment's network, or the CPU if it has none.

    Args:
        experiment: any experiment.

    Returns:
        The device.
    """
    return next(experiment.model.parameters()).device if experiment.model is not None else torch.device("cpu")


def summary(result: Mapping[str, Tensor]) -> dict[str, object]:
    """Return the numbers of one experiment that a table shows.

    Args:
        result: its measurements.

    Returns:
        Numbers by their description.
    """
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
