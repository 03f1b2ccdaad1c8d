"""Distributions to sample from. A sample comes with its label, or with `None` if there are no labels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int, jaxtyped
from torch import Tensor, nn
from typeguard import typechecked


class Sampleable(ABC):
    """A distribution that can be sampled."""

    @abstractmethod
    def sample(self, n: int) -> tuple[Tensor, Tensor | None]:
        """Draw independent samples.

        Args:
            n: how many, at least 1.

        Returns:
            The samples, shape (n, …), and their labels, int64 of shape (n,), or None.
        """


class IsotropicGaussian(nn.Module, Sampleable):
    """The distribution N(mean, std² I) over tensors of one shape. It has no labels.

    Args:
        shape: the shape of one sample, without the batch axis.
        std: the standard deviation (not the variance), at least 0.
        mean: the mean of every coordinate.

    Raises:
        ValueError: `std` is negative.
    """

    here: Tensor

    def __init__(self, shape: tuple[int, ...] | list[int], std: float = 1.0, mean: float = 0.0):
        super().__init__()
        if std < 0:
            raise ValueError(f"a standard deviation cannot be negative: {std}")
        self.shape, self.std, self.mean = tuple(shape), float(std), float(mean)
        self.register_buffer("here", torch.zeros(()), persistent=False)  # knows the device and the dtype

    def sample(self, n: int) -> tuple[Tensor, None]:
        """Draw independent samples, on the device and in the dtype of the module.

        Args:
            n: how many, at least 1.

        Returns:
            The samples, shape (n, *shape), and None.

        Example:
            >>> x, labels = IsotropicGaussian((1, 8, 8), std=0.0, mean=3.0).sample(5)
            >>> x.shape, x.unique().tolist(), labels
            (torch.Size([5, 1, 8, 8]), [3.0], None)
        """
        noise = torch.randn(n, *self.shape, device=self.here.device, dtype=self.here.dtype)
        return self.mean + self.std * noise, None


class GaussianClasses(nn.Module, Sampleable):
    """A toy distribution with labels: class y is N(means[y], std² I), and all classes are equally likely.

    Args:
        means: the mean of each class, shape (classes, …).
        std: the standard deviation of every class, at least 0.
    """

    means: Tensor

    @jaxtyped(typechecker=typechecked)
    def __init__(self, means: Float[Tensor, classes * shape], std: float = 1.0):
        super().__init__()
        self.register_buffer("means", means)
        self.std = float(std)

    def sample(self, n: int) -> tuple[Tensor, Tensor]:
        """Draw samples of random classes.

        Args:
            n: how many, at least 1.

        Returns:
            The samples, shape (n, …), and their classes, int64 of shape (n,), in [0, classes - 1].

        Example:
            >>> x, y = GaussianClasses(torch.tensor([[-4.0, 0.0], [4.0, 0.0]]), std=0.1).sample(6)
            >>> torch.equal(x[:, 0] > 0, y == 1)
            True
        """
        y = torch.randint(len(self.means), (n,), device=self.means.device)
        return self.sample_class(y), y

    @jaxtyped(typechecker=typechecked)
    def sample_class(self, y: Int[Tensor, " n"]) -> Float[Tensor, n * shape]:
        """Draw one sample of each given class.

        Args:
            y: classes in [0, classes - 1], integers of shape (n,).

        Returns:
            The samples, shape (n, …).
        """
        mean = self.means[y]
        return mean + self.std * torch.randn_like(mean)
