"""A mixture of round Gaussians: the world in which lab 3's noise and classifier are known exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.diffusion import Schedule, at


class Mixture:
    """Class k is N(means[k], stds[k]² I) with probability prior[k]; means (classes, d), stds and prior (classes,).

    Noised to x_t it stays a mixture: class k is N(sqrt(alpha_bar_t) m_k, (alpha_bar_t s_k² + 1 - alpha_bar_t) I).
    """

    def __init__(self, means: Tensor, stds: Tensor, prior: Tensor | None = None):
        self.means, self.stds = means, stds
        self.prior = torch.full((len(means),), 1 / len(means)).to(means) if prior is None else prior

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Points (n, d) and their classes (n,)."""
        y = torch.multinomial(self.prior, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        return self.means[y] + self.stds[y, None] * noise, y

    def logits(self, x: Tensor, t: Tensor, schedule: Schedule) -> Tensor:
        """log p_t(x, k) but for a constant, (b, classes): an exact classifier of noisy points. x: (b, d), t: (b,), steps."""
        bar = at(schedule.alpha_bars, t, x)
        variance = bar * self.stds**2 + 1 - bar  # (b, classes)
        distance = (x[:, None] - bar.sqrt()[..., None] * self.means).square().sum(-1)
        return self.prior.log() - x.shape[1] / 2 * variance.log() - distance / (2 * variance)

    def noise(self, x: Tensor, t: Tensor, schedule: Schedule) -> Tensor:
        """The mean of the noise in x, given x: what a perfect noise network returns, (b, d). x: (b, d), t: (b,), steps."""
        bar = at(schedule.alpha_bars, t, x)
        variance = (bar * self.stds**2 + 1 - bar)[..., None]
        each = (1 - bar).sqrt()[..., None] * (x[:, None] - bar.sqrt()[..., None] * self.means) / variance
        return (self.logits(x, t, schedule).softmax(-1)[..., None] * each).sum(1)
