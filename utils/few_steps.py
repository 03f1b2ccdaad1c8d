"""The few-step challenge of lab 4: how good are samples after 1, 2, 4 and 8 calls of the guided velocity?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from utils.dynamics import ODE
from utils.metrics import frechet_distance, in_batches
from utils.runtime import fast_bf16

BUDGETS = (1, 2, 4, 8)  # calls of the guided velocity


class GivenVelocity(ODE):
    """A velocity at one guidance scale, as an ODE that a simulator can follow.

    Args:
        velocity: `velocity(x, t, w)` returns the guided velocity, shape of x.
        guidance_scale: w.
    """

    def __init__(self, velocity: Callable[[Tensor, Tensor, float], Tensor], guidance_scale: float):
        self.velocity, self.guidance_scale = velocity, guidance_scale

    def drift_coefficient(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the velocity.

        Args:
            x: states, shape (b, c, h, w).
            t: times in [0, 1], shape (b, 1, 1, 1).

        Returns:
            The velocity, shape of x.
        """
        return self.velocity(x, t, self.guidance_scale)


@torch.no_grad()
def few_step_distances(
    sampler: Callable[..., Tensor],
    drift: Callable[[Tensor, Tensor, Tensor, float], Tensor],
    noise: Tensor,
    labels: Tensor,
    features: Callable[[Tensor], Tensor],
    reference: Tensor,
) -> dict[int, float]:
    """Return the Fréchet distance of a sampler's images for each budget of calls.

    Args:
        sampler: `sampler(velocity, x, calls)` returns images of the shape of x. `velocity(x, t, w)` may be called
            `calls` times, with t in [0, 1]: a number, or one for each image, shape (b, 1, 1, 1).
        drift: `drift(x, t, y, w)` returns the guided velocity, with t of shape (b, 1, 1, 1) and y of shape (b,).
        noise: where the samplers start, shape (n, c, h, w).
        labels: the wanted classes, int64 of shape (n,).
        features: maps images (k, c, h, w) to features (k, d).
        reference: features of real images, shape (m, d).

    Returns:
        The distance for each number of calls in `BUDGETS`.

    Raises:
        ValueError: the sampler calls the velocity more often than it may.
    """
    device = noise.device

    def sample(x: Tensor, y: Tensor, calls: int) -> Tensor:
        used = 0

        def velocity(x: Tensor, t: Tensor | float, w: float) -> Tensor:
            nonlocal used
            used += 1
            times = torch.as_tensor(t, device=device).float().expand(len(x), 1, 1, 1)
            with torch.autocast(device.type, torch.bfloat16, enabled=fast_bf16(device)):
                return drift(x, times, y, w).float()

        images = sampler(velocity, x, calls)
        if used > calls:
            raise ValueError(f"your sampler calls the velocity {used} times, and only {calls} are allowed")
        return images.float()

    parts = list(zip(noise.split(50), labels.split(50)))
    images = {calls: torch.cat([sample(x, y, calls) for x, y in parts]) for calls in BUDGETS}
    return {calls: frechet_distance(in_batches(features, x), reference) for calls, x in images.items()}


def few_step_score(distances: dict[int, float], floor: float) -> float:
    """Return the score of the challenge: the mean of log2(distance / floor). Lower is better.

    Args:
        distances: the distance for each number of calls, positive.
        floor: the distance of as many real images, positive.

    Returns:
        The score. One point less is a distance half as large.

    Example:
        >>> few_step_score({1: 8.0, 2: 2.0}, floor=1.0)
        2.0
    """
    return float(np.mean([np.log2(distance / floor) for distance in distances.values()]))
