"""Things one can sample. A sample comes with its label, or with `None` where there are no labels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int, jaxtyped
from torch import Tensor, nn
from typeguard import typechecked


class Sampleable(ABC):
    """A distribution that one can sample from."""

    @abstractmethod
    def sample(self, n: int) -> tuple[Tensor, Tensor | None]:
        """`n` samples, shape (n, …), and their labels, int64 of shape (n,), or None."""


class IsotropicGaussian(nn.Module, Sampleable):
    """N(mean, std² I) over tensors of the given shape. `std` is the standard deviation, not the variance."""

    def __init__(self, shape: tuple[int, ...] | list[int], std: float = 1.0, mean: float = 0.0):
        super().__init__()
        if std < 0:
            raise ValueError(f"a standard deviation cannot be negative: {std}")
        self.shape, self.std, self.mean = tuple(shape), float(std), float(mean)
        self.register_buffer("here", torch.zeros(()), persistent=False)  # knows the device and the dtype

    def sample(self, n: int) -> tuple[Tensor, None]:
        """`n` samples, shape (n, *shape), where the module is; there are no labels."""
        noise = torch.randn(n, *self.shape, device=self.here.device, dtype=self.here.dtype)
        return self.mean + self.std * noise, None


class GaussianClasses(nn.Module, Sampleable):
    """A toy with labels: class y is N(means[y], std² I), and all classes are equally likely. means: (classes, …)."""

    @jaxtyped(typechecker=typechecked)
    def __init__(self, means: Float[Tensor, classes * shape], std: float = 1.0):
        super().__init__()
        self.register_buffer("means", means)
        self.std = float(std)

    def sample(self, n: int) -> tuple[Tensor, Tensor]:
        """`n` samples, shape (n, …), and their classes, int64 of shape (n,)."""
        y = torch.randint(len(self.means), (n,), device=self.means.device)
        return self.sample_class(y), y

    @jaxtyped(typechecker=typechecked)
    def sample_class(self, y: Int[Tensor, " n"]) -> Float[Tensor, n * shape]:
        """One sample of class y[i] for every i."""
        mean = self.means[y]
        return mean + self.std * torch.randn_like(mean)
