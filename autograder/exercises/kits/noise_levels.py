"""The factors of discrete diffusion, looked up at each sample's step: what the formulas of lab 3 are made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.diffusion import Schedule, gather_per_sample


@dataclass(frozen=True)
class NoiseLevels:
    """All have the shape (b, 1, …, 1), with as many axes as x, in float64."""

    beta: Tensor
    alpha: Tensor
    alpha_bar: Tensor
    total: Tensor  # sqrt(1 - alpha_bar), the noise in x_t
    posterior: Tensor  # the standard deviation of x_{t-1} where x_t and x_0 are known
    moving: Tensor  # 1, and 0 at t = 0

    @classmethod
    def of(cls, schedule: Schedule, t: Tensor, x: Tensor) -> NoiseLevels:
        """Return the levels of a batch.

        Args:
            schedule: In float64.
            t: (b,) steps, integers.
            x: (b, …), only its rank counts.
        """
        beta, alpha, alpha_bar = (gather_per_sample(values, t, x).double() for values in schedule)
        before = torch.cat([torch.ones(1, dtype=torch.float64), schedule.alpha_bars.double()[:-1]])
        return cls(
            beta=beta,
            alpha=alpha,
            alpha_bar=alpha_bar,
            total=(1 - alpha_bar).sqrt(),
            posterior=(beta * (1 - gather_per_sample(before, t, x)) / (1 - alpha_bar)).sqrt(),
            moving=(t > 0).double().reshape(beta.shape),
        )

    @property
    def step(self) -> Tensor:
        """sqrt(beta), the noise that one step adds."""
        return self.beta.sqrt()
