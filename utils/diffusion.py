"""The noise schedule of a diffusion model in discrete time, as in Ho et al. (2020).

The data have no noise. Index 0 is the step with the least noise, index T - 1 the one with the most. The notebook
computes the numbers; this module only holds them.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Schedule(NamedTuple):
    """Three numbers for each of the T steps.

    Args:
        betas: shape (T,), in (0, 1). The variance of the noise that step t adds.
        alphas: shape (T,), in (0, 1). 1 - betas.
        alpha_bars: shape (T,), in (0, 1), falling. The product of the alphas up to and including step t.

    References:
        Ho et al. (2020), "Denoising diffusion probabilistic models", equations 2 and 4.
    """

    betas: Tensor  # the variance of the noise that step t adds
    alphas: Tensor  # 1 - betas
    alpha_bars: Tensor  # the product of alphas up to and including step t: the share of the data in x_t, as a variance

    def to(self, *where) -> Schedule:
        """Return the same schedule on another device or in another dtype.

        Args:
            *where: what `Tensor.to` takes, such as a device or a dtype.

        Returns:
            A new schedule.
        """
        return Schedule(*(value.to(*where) for value in self))

    @property
    def steps(self) -> int:
        """The number of steps, T.

        Returns:
            An integer.
        """
        return len(self.betas)


def gather_per_sample(values: Tensor, t: Tensor, x: Tensor) -> Tensor:
    """Look up one number for each sample, shaped so that it broadcasts against x.

    Args:
        values: one number for each step, shape (T,).
        t: the step of each sample, integers in [0, T - 1], shape (b,).
        x: samples, shape (b, …).

    Returns:
        values[t], shape (b, 1, …, 1) with as many axes as x.

    Example:
        >>> import torch
        >>> gather_per_sample(torch.tensor([0.1, 0.2]), torch.tensor([1, 0, 1]), torch.zeros(3, 2)).tolist()
        [[0.20000000298023224], [0.10000000149011612], [0.20000000298023224]]
    """
    return values[t].reshape(-1, *[1] * (x.dim() - 1))
