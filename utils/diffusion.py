"""A diffusion model in discrete time: its noise schedule, as Ho et al. (2020), "Denoising diffusion probabilistic models".

Data have no noise, and index 0 stands for the least noisy step, T - 1 for the noisiest. The notebook fills a schedule;
here is only what it holds.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Schedule(NamedTuple):
    """Three numbers for each of the T steps, all of shape (T,)."""

    betas: Tensor  # the variance of the noise that step t adds
    alphas: Tensor  # 1 - betas
    alpha_bars: Tensor  # the product of alphas up to and including step t: the share of the data in x_t, as a variance

    def to(self, *where) -> Schedule:
        """The same schedule on another device or in another dtype."""
        return Schedule(*(value.to(*where) for value in self))

    @property
    def steps(self) -> int:
        """T."""
        return len(self.betas)


def at(values: Tensor, t: Tensor, x: Tensor) -> Tensor:
    """values[t], one number a sample, with as many axes as x: (b, 1, …, 1). t: (b,), integers; x: (b, …)."""
    return values[t].reshape(-1, *[1] * (x.dim() - 1))
