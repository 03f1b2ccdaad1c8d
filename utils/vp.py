"""The variance preserving noise of labs 1 and 3's continuous pictures: data at t = 0, noise at t = 1.

Song et al. (2021), "Score-based generative modeling through SDEs", section 3.4: dx = -beta x / 2 dt + sqrt(beta) dW, with
beta rising linearly. Given the data, x_t = a(t) x_0 + sigma(t) noise.
"""

from __future__ import annotations

import torch
from torch import Tensor

BETA_MIN, BETA_MAX = 0.1, 20.0
T_MIN = 1e-3  # where sampling stops: at t = 0 the score of discrete data is infinite


def beta(t: Tensor) -> Tensor:
    """The rate at which noise comes in at time t, from 0.1 at t = 0 to 20 at t = 1."""
    return BETA_MIN + (BETA_MAX - BETA_MIN) * t


def a(t: Tensor) -> Tensor:
    """What is left of the data: exp(-1/2 of the integral of beta from 0 to t). From 1 down to 0.0066."""
    return torch.exp(-0.5 * (BETA_MIN * t + (BETA_MAX - BETA_MIN) * t**2 / 2))


def sigma(t: Tensor) -> Tensor:
    """The standard deviation of the noise, sqrt(1 - a²); exact for small t too."""
    return torch.sqrt(-torch.expm1(-(BETA_MIN * t + (BETA_MAX - BETA_MIN) * t**2 / 2)))


def times(steps: int, first: float = 1.0, last: float = T_MIN) -> Tensor:
    """`steps` + 1 times from noise to data, closer together towards the data: the squares of equal steps."""
    return torch.linspace(first**0.5, last**0.5, steps + 1, dtype=torch.float64) ** 2
