"""A mixture of isotropic Gaussians, for which lab 3's noise estimate and classifier are known exactly."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from utils.diffusion import Schedule, at


class Mixture:
    """A distribution in which class k is N(means[k], stds[k]² I) with probability prior[k].

    With noise it is still a mixture: class k becomes N(sqrt(alpha_bar_t) m_k, (alpha_bar_t s_k² + 1 - alpha_bar_t) I).

    Args:
        means: shape (classes, d).
        stds: shape (classes,), positive.
        prior: shape (classes,), probabilities that add up to 1. None makes all classes equally likely.
    """

    def __init__(self, means: Tensor, stds: Tensor, prior: Tensor | None = None):
        self.means, self.stds = means, stds
        self.prior = torch.full((len(means),), 1 / len(means)).to(means) if prior is None else prior

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw points and their classes.

        Args:
            n: how many, at least 1.
            generator: where the random numbers come from.

        Returns:
            Points, shape (n, d), and classes, int64 of shape (n,).
        """
        y = torch.multinomial(self.prior, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        return self.means[y] + self.stds[y, None] * noise, y

    def logits(self, x: Float[Tensor, "b d"], t: Int[Tensor, " b"], schedule: Schedule) -> Float[Tensor, "b classes"]:
        """Return log p_t(x, k) up to a constant: the logits of an exact classifier of noisy points.

        Args:
            x: noisy points, shape (b, d).
            t: steps in [0, T - 1], integers of shape (b,).
            schedule: the noise schedule.

        Returns:
            Logits, shape (b, classes).
        """
        bar = at(schedule.alpha_bars, t, x)
        variance = bar * self.stds**2 + 1 - bar  # (b, classes)
        distance = (x[:, None] - bar.sqrt()[..., None] * self.means).square().sum(-1)
        return self.prior.log() - x.shape[1] / 2 * variance.log() - distance / (2 * variance)

    def noise(self, x: Float[Tensor, "b d"], t: Int[Tensor, " b"], schedule: Schedule) -> Float[Tensor, "b d"]:
        """Return the mean of the noise in x given x, which is what a perfect noise network returns.

        Args:
            x: noisy points, shape (b, d).
            t: steps in [0, T - 1], integers of shape (b,).
            schedule: the noise schedule.

        Returns:
            The noise, shape (b, d).
        """
        bar = at(schedule.alpha_bars, t, x)
        variance = (bar * self.stds**2 + 1 - bar)[..., None]
        each = (1 - bar).sqrt()[..., None] * (x[:, None] - bar.sqrt()[..., None] * self.means) / variance
        return (self.logits(x, t, schedule).softmax(-1)[..., None] * each).sum(1)
