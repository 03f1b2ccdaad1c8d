"""The variance preserving noise of lab 1 and of lab 3's pictures in continuous time: data at t = 0, noise at t = 1.

The process is dx = -beta(t) x / 2 dt + sqrt(beta(t)) dW, with a linear beta.
Given the data, x_t = alpha(t) x_0 + sigma(t) noise.

References:
    Song et al. (2021), "Score-based generative modeling through SDEs", equations 11 and 33.
"""

from __future__ import annotations

import torch
from torch import Tensor

BETA_MIN, BETA_MAX = 0.1, 20.0
T_MIN = 1e-3  # where sampling stops: at t = 0 the score of discrete data is infinite


def beta(t: Tensor) -> Tensor:
    """Return the rate at which noise is added, from 0.1 at t = 0 to 20 at t = 1.

    Args:
        t: times in [0, 1], any shape.

    Returns:
        The rates, positive, shape of t.
    """
    return BETA_MIN + (BETA_MAX - BETA_MIN) * t


def alpha(t: Tensor) -> Tensor:
    """Return the factor of the data, exp(-1/2 of the integral of beta from 0 to t).

    Args:
        t: times in [0, 1], any shape.

    Returns:
        The factors, from 1 at t = 0 down to 0.0066 at t = 1, shape of t.

    Example:
        >>> t = torch.tensor([0.0, 0.3, 1.0])
        >>> (alpha(t) ** 2 + sigma(t) ** 2).tolist()
        [1.0, 1.0, 1.0]
    """
    return torch.exp(-0.5 * (BETA_MIN * t + (BETA_MAX - BETA_MIN) * t**2 / 2))


def sigma(t: Tensor) -> Tensor:
    """Return the standard deviation of the noise, sqrt(1 - alpha²), accurate for small t too.

    Args:
        t: times in [0, 1], any shape.

    Returns:
        The standard deviations, from 0 to nearly 1, shape of t.
    """
    return torch.sqrt(-torch.expm1(-(BETA_MIN * t + (BETA_MAX - BETA_MIN) * t**2 / 2)))


def times(steps: int, first: float = 1.0, last: float = T_MIN) -> Tensor:
    """Return a grid of times from noise to data that is finer near the data: the squares of equally spaced numbers.

    Args:
        steps: the number of steps, at least 1.
        first: where the grid starts, in (0, 1].
        last: where it ends, in (0, first).

    Returns:
        Falling times, shape (steps + 1,), float64.

    Example:
        >>> times(2, last=0.0).tolist()
        [1.0, 0.25, 0.0]
    """
    return torch.linspace(first**0.5, last**0.5, steps + 1, dtype=torch.float64) ** 2
