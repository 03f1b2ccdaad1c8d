"""Probability paths from noise (t = 0) to data (t = 1).

x_t = alpha(t) z + beta(t) eps, with z a data point and eps ~ N(0, I). The schedules alpha and beta know their values
and their time derivatives. What moves a sample along the path, and its score, are exercises and not in here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, jaxtyped
from torch import Tensor, nn
from typeguard import typechecked

from utils.distributions import Sampleable


class Schedule(ABC):
    """A smooth function of time, applied to each entry of t."""

    @abstractmethod
    def __call__(self, t: Tensor) -> Tensor:
        """The value at t, same shape as t."""

    def dt(self, t: Tensor) -> Tensor:
        """The time derivative at t, same shape as t. By automatic differentiation, unless a subclass knows it."""
        with torch.enable_grad():
            t = t.detach().requires_grad_()
            return torch.autograd.grad(self(t).sum(), t)[0]  # each value depends on its own t only


class Alpha(Schedule):
    """How much data: rises from alpha(0) = 0 to alpha(1) = 1."""


class Beta(Schedule):
    """How much noise: falls from beta(0) = 1 to beta(1) = 0."""


class LinearAlpha(Alpha):
    """alpha(t) = t"""

    def __call__(self, t: Tensor) -> Tensor:
        return t

    def dt(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)


class LinearBeta(Beta):
    """beta(t) = 1 - t"""

    def __call__(self, t: Tensor) -> Tensor:
        return 1 - t

    def dt(self, t: Tensor) -> Tensor:
        return -torch.ones_like(t)


class CosineAlpha(Alpha):
    """alpha(t) = sin(pi t / 2): with CosineBeta, alpha² + beta² = 1"""

    def __call__(self, t: Tensor) -> Tensor:
        return torch.sin(torch.pi / 2 * t)


class CosineBeta(Beta):
    """beta(t) = cos(pi t / 2)"""

    def __call__(self, t: Tensor) -> Tensor:
        return torch.cos(torch.pi / 2 * t)


class GaussianPath(nn.Module, ABC):
    """p_t(x | z) = N(alpha(t) z, beta(t)² I): pure noise at t = 0, the data point z at t = 1.

    Times have the shape (b, 1, …, 1), with as many axes as x, so that they multiply it without surprises.
    """

    def __init__(self, p_data: Sampleable, shape: tuple[int, ...] | list[int], alpha: Alpha, beta: Beta):
        super().__init__()
        zero, one = torch.zeros(1), torch.ones(1)
        ends = [("alpha(0)", alpha(zero), 0.0), ("alpha(1)", alpha(one), 1.0)]
        ends += [("beta(0)", beta(zero), 1.0), ("beta(1)", beta(one), 0.0)]
        for name, value, expected in ends:
            if abs(float(value) - expected) > 1e-6:
                raise ValueError(f"{name} is {float(value):g}, but a path from noise to data needs {expected:g}")
        self.p_data, self.shape, self.alpha, self.beta = p_data, tuple(shape), alpha, beta

    def sample_conditioning_variable(self, n: int) -> tuple[Tensor, Tensor | None]:
        """`n` data points z, shape (n, …), and their labels y, shape (n,)."""
        return self.p_data.sample(n)

    @jaxtyped(typechecker=typechecked)
    def sample_conditional_path(
        self, z: Float[Tensor, b * shape], t: Float[Tensor, b * ones]
    ) -> Float[Tensor, b * shape]:
        """x ~ p_t(x | z), with fresh noise."""
        require_time_shape(t, z)
        return self.alpha(t) * z + self.beta(t) * torch.randn_like(z)

    @abstractmethod
    def conditional_vector_field(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """The velocity u_t(x | z) that moves noise to z along the path, shape of x."""

    @abstractmethod
    def conditional_score(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """The gradient in x of log p_t(x | z), shape of x."""


def require_time_shape(t: Tensor, x: Tensor) -> None:
    """Raise unless t is (b, 1, …, 1) with as many axes as x."""
    if t.shape != (x.shape[0],) + (1,) * (x.dim() - 1):
        expected = ", ".join(["b"] + ["1"] * (x.dim() - 1))
        raise ValueError(f"t has shape {tuple(t.shape)}; for x of shape {tuple(x.shape)} it must be ({expected})")
