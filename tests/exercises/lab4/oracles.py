"""Gaussian data on the straight path: velocity and flow are known in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.dynamics import ODE

GRID = torch.tensor([0.0, 0.03, 0.2, 0.25, 0.5, 0.55, 0.8, 0.99, 1.0], dtype=torch.float64)


def velocity(x: Tensor, t: Tensor, mean: Tensor, std: float) -> Tensor:
    """Return the exact velocity for data N(mean, std² I) on the straight path."""
    v = t**2 * std**2 + (1 - t) ** 2
    return mean + (t * std**2 - (1 - t)) / v * (x - t * mean)


def euler_gain(std: float) -> Tensor:
    """Return by which factor Euler's method on GRID multiplies the distance from the mean."""
    a, b = GRID[:-1], GRID[1:]
    return ((a * b * std**2 + (1 - a) * (1 - b)) / (a**2 * std**2 + (1 - a) ** 2)).prod()


class GaussianFlow(ODE):
    """The flow of `velocity`."""

    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    def drift_coefficient(self, x, t, **kwargs):
        return velocity(x, t, self.mean, self.std)
