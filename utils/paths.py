"""Probability paths from noise (t = 0) to data (t = 1).

A sample on the path is x = alpha(t) z + beta(t) eps, where z is a data point and eps ~ N(0, I). The schedules alpha and
beta give their values and their time derivatives. The vector field and the score of a path are exercises of lab 4 and
are not defined here.
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
        """Return the value at each time.

        Args:
            t: times in [0, 1], any shape.

        Returns:
            The values, shape of t.
        """

    def dt(self, t: Tensor) -> Tensor:
        """Return the time derivative at each time. A subclass may replace automatic differentiation by a formula.

        Args:
            t: times in [0, 1], any shape.

        Returns:
            The derivatives, shape of t, detached from the graph.

        Example:
            >>> round(float(CosineAlpha().dt(torch.tensor(0.0))), 4)
            1.5708
        """
        with torch.enable_grad():
            t = t.detach().requires_grad_()
            return torch.autograd.grad(self(t).sum(), t)[0]  # each value depends on its own t only


class Alpha(Schedule):
    """The factor of the data: rises from alpha(0) = 0 to alpha(1) = 1."""


class Beta(Schedule):
    """The standard deviation of the noise: falls from beta(0) = 1 to beta(1) = 0."""


class LinearAlpha(Alpha):
    """alpha(t) = t.

    References:
        Lipman et al. (2023), "Flow matching for generative modeling", equation 20 with sigma_min = 0.
    """

    def __call__(self, t: Tensor) -> Tensor:
        """Return alpha(t), with the shape of t, for t in [0, 1]."""
        return t

    def dt(self, t: Tensor) -> Tensor:
        """Return the time derivative of alpha.

        Args:
            t: time in [0, 1], any shape.

        Returns:
            dalpha/dt at t, with the shape of t.
        """
        return torch.ones_like(t)


class LinearBeta(Beta):
    """beta(t) = 1 - t.

    References:
        Lipman et al. (2023), "Flow matching for generative modeling", equation 20 with sigma_min = 0.
    """

    def __call__(self, t: Tensor) -> Tensor:
        """Return beta(t), with the shape of t, for t in [0, 1]."""
        return 1 - t

    def dt(self, t: Tensor) -> Tensor:
        """Return the time derivative of beta.

        Args:
            t: time in [0, 1], any shape.

        Returns:
            dbeta/dt at t, with the shape of t.
        """
        return -torch.ones_like(t)


class CosineAlpha(Alpha):
    """alpha(t) = sin(pi t / 2). Together with `CosineBeta`, alpha² + beta² = 1.

    References:
        Albergo and Vanden-Eijnden (2023), "Building normalizing flows with stochastic interpolants", the trigonometric
        interpolant.
    """

    def __call__(self, t: Tensor) -> Tensor:
        """Return alpha(t), with the shape of t, for t in [0, 1]."""
        return torch.sin(torch.pi / 2 * t)


class CosineBeta(Beta):
    """beta(t) = cos(pi t / 2). Together with `CosineAlpha`, alpha² + beta² = 1."""

    def __call__(self, t: Tensor) -> Tensor:
        """Return beta(t), with the shape of t, for t in [0, 1]."""
        return torch.cos(torch.pi / 2 * t)


class GaussianPath(nn.Module, ABC):
    """The distributions p_t(x | z) = N(alpha(t) z, beta(t)² I): noise at t = 0, the data point z at t = 1.

    Times have the shape (b, 1, …, 1), with as many axes as x, so that they broadcast against x correctly.

    Args:
        p_data: where data points z and their labels are drawn from.
        shape: the shape of one data point, without the batch axis.
        alpha: the factor of the data.
        beta: the standard deviation of the noise.

    Raises:
        ValueError: alpha and beta do not lead from noise to data.
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
        """Draw data points and their labels.

        Args:
            n: how many, at least 1.

        Returns:
            The points z, shape (n, …), and their labels y, int64 of shape (n,), or None if the data have no labels.
        """
        return self.p_data.sample(n)

    @jaxtyped(typechecker=typechecked)
    def sample_conditional_path(
        self, z: Float[Tensor, b * shape], t: Float[Tensor, b * ones]
    ) -> Float[Tensor, b * shape]:
        """Draw x ~ p_t(x | z) with fresh noise.

        Args:
            z: data points, shape (b, …).
            t: times in [0, 1], shape (b, 1, …, 1) with as many axes as z.

        Returns:
            The noisy samples, shape of z.

        Raises:
            ValueError: t does not have the shape (b, 1, …, 1).
        """
        require_time_shape(t, z)
        return self.alpha(t) * z + self.beta(t) * torch.randn_like(z)

    @abstractmethod
    def conditional_vector_field(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """Return the velocity u_t(x | z), which moves noise to z along the path.

        Args:
            x: points on the path, shape (b, …).
            z: data points, shape of x.
            t: times in [0, 1), shape (b, 1, …, 1).

        Returns:
            The velocities, shape of x.
        """

    @abstractmethod
    def conditional_score(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """Return the score of p_t(x | z), the gradient of its log with respect to x.

        Args:
            x: points on the path, shape (b, …).
            z: data points, shape of x.
            t: times in [0, 1), shape (b, 1, …, 1).

        Returns:
            The scores, shape of x.
        """


def require_time_shape(t: Tensor, x: Tensor) -> None:
    """Raise unless t has the shape (b, 1, …, 1), with as many axes as x.

    Args:
        t: times.
        x: samples, shape (b, …).

    Raises:
        ValueError: the shape differs. The message names both shapes.

    Example:
        >>> require_time_shape(torch.zeros(5, 1), torch.zeros(5, 2))
        >>> require_time_shape(torch.zeros(5), torch.zeros(5, 2))
        Traceback (most recent call last):
        ValueError: t has shape (5,); for x of shape (5, 2) it must be (b, 1)
    """
    if t.shape != (x.shape[0],) + (1,) * (x.dim() - 1):
        expected = ", ".join(["b"] + ["1"] * (x.dim() - 1))
        raise ValueError(f"t has shape {tuple(t.shape)}; for x of shape {tuple(x.shape)} it must be ({expected})")
