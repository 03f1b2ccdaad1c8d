"""Layers that several networks share: features of the time, and small stacks of linear layers."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


class FourierFeatures(nn.Module):
    """Turn a number t into cosines and sines at `dim / 2` frequencies, from 1/4 to 32 turns per unit of time.

    Args:
        dim: the number of features, even.

    Raises:
        ValueError: `dim` is odd.

    References:
        Tancik et al. (2020), "Fourier features let networks learn high frequency functions in low dimensional domains",
        equation 5, here with fixed frequencies.

    Example:
        >>> FourierFeatures(4)(torch.zeros(3, 1)).shape
        torch.Size([3, 4])
    """

    frequencies: Tensor

    def __init__(self, dim: int):
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim must be even, for there is a sine to every cosine: {dim}")
        frequencies = 2 * math.pi * torch.logspace(-2, 5, dim // 2, base=2.0)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        """Return the features of each time.

        Args:
            t: one number for each sample, shape (b,) or (b, 1, …, 1).

        Returns:
            The features, shape (b, dim).
        """
        angle = t.reshape(-1, 1) * self.frequencies
        return math.sqrt(2) * torch.cat([angle.cos(), angle.sin()], dim=-1)


class MLP(nn.Sequential):
    """Linear layers with SiLU between them.

    Args:
        *widths: the width of the input, of each hidden layer, and of the output.

    Example:
        >>> MLP(2, 128, 128, 3)(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(self, *widths: int):
        layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.SiLU())]
        super().__init__(*layers[:-1])


def adapter(dim: int, channels: int) -> nn.Module:
    """Make the layers that turn an embedding of time or label into one number for each channel.

    Args:
        dim: the width of the embedding.
        channels: the number of channels.

    Returns:
        A module from (b, dim) to (b, channels).
    """
    return nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, channels))
