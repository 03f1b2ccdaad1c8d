"""Exercise 2.5: the fields whose residual is computed, and a record of where they are evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from utils.checks.challenge import Challenge


class Waves(nn.Module):
    """A random field, gain · sum_k a_k v_k sin(2 pi m_k x + w_k t + p_k). It is no gradient: v_k is not along m_k."""

    def __init__(self, challenge: Challenge, run: str, d: int, dtype: torch.dtype):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=dtype, device=challenge.device))
        self.frozen = nn.Parameter(torch.ones_like(self.gain), requires_grad=False)
        self.m = challenge.randint(f"{run} m", -2, 3, (4, d)).to(dtype)
        self.m[0], self.m[1] = 1.0, torch.arange(d) % 2  # never all zero
        self.v = challenge.rand(f"{run} v", (4, d), 0.3, 1.0, dtype)
        self.v[:, 0] *= -1
        self.a = challenge.rand(f"{run} a", (4,), 0.3, 1.0, dtype)
        self.w = challenge.rand(f"{run} w", (4,), 1.0, 4.0, dtype)
        self.p = challenge.rand(f"{run} p", (4,), 0.0, 6.0, dtype)

    def angles(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the angle of each wave, (b, 4)."""
        return 2 * math.pi * x @ self.m.to(x).T + t * self.w.to(x) + self.p.to(x)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the field at x of shape (b, d) and t of shape (b, 1), with the shape of x."""
        return self.gain * (self.a.to(x) * torch.sin(self.angles(x, t))) @ self.v.to(x)


class Heat(nn.Module):
    """The score of a density of a few Fourier modes that diffuses as the noise grows. Not the lab's density."""

    def __init__(self, challenge: Challenge, run: str, dtype: torch.dtype, sigma: StubSigma):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=dtype, device=challenge.device))
        self.frozen = nn.Parameter(torch.ones_like(self.gain), requires_grad=False)
        self.sigma = sigma
        self.m = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=dtype, device=challenge.device)
        self.a = challenge.rand(f"{run} a", (3,), 0.2, 0.4, dtype)
        self.p = challenge.rand(f"{run} p", (3,), 0.0, 6.0, dtype)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the score at x of shape (b, d) and t of shape (b, 1), with the shape of x."""
        m, a, p = self.m.to(x), self.a.to(x), self.p.to(x)
        angles = 2 * math.pi * x @ m.T + p
        fading = a * torch.exp(-2 * math.pi**2 * m.square().sum(1) * self.sigma(t) ** 2)
        slope = -2 * math.pi * (fading * torch.sin(angles)) @ m
        return self.gain * slope / (1 + (fading * torch.cos(angles)).sum(dim=1, keepdim=True))


class StubSigma:
    """A random sigma(t), not exponential. In the unit of time it reaches 0.3, comes near 0, and grows at both ends."""

    def __init__(self, challenge: Challenge):
        cpu = challenge.on("cpu")
        self.speed, self.phase = cpu.number("sigma speed", 4.5, 5.5), cpu.number("sigma phase", 0.3, 1.0)

    def __call__(self, t: Tensor) -> Tensor:
        """Return sigma(t), with the shape of t."""
        return 0.151 + 0.149 * torch.sin(self.speed * t + self.phase)


# Fields of which one term of the equation is left. Adding `nothing` keeps every derivative in the graph. The last field
# is not a gradient, so every other sum of its second derivatives has another direction.
TOYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "time_only": lambda x, t: t * torch.tensor([3.0, -5.0]).to(x) + nothing(x, t),
    "linear": lambda x, t: x @ torch.tensor([[1.0, -2.0], [3.0, 0.5]]).to(x) + nothing(x, t),
    "at_zero": lambda x, t: (
        x**2 * torch.tensor([1.0, -3.0]).to(x) + x.prod(1, True) * torch.tensor([2.0, 4.0]).to(x) + nothing(x, t)
    ),
}
# After all others: the same numbers with another sigma, then the same score, sigma and tensors with other numbers, so
# that a kept result shows, and a score as steep as the lab's exact one near the data, so that a limit shows.
LATE_TOYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "twice_the_noise": TOYS["linear"],
    "moved": TOYS["linear"],
    "steep": lambda x, t: -STEEP * x + nothing(x, t),
}
STEEP = 1e4
SAME_TENSORS = "linear", "moved"


def nothing(x: Tensor, t: Tensor) -> Tensor:
    """Return 0 in the shape of x, with derivatives of any order."""
    return 0 * x**4 * t


def toy_sigma(t: Tensor) -> Tensor:
    """Return sqrt(t + 3 t²)."""
    return (t + 3 * t**2) ** 0.5


def toy_growth(t: Tensor) -> Tensor:
    """Return the time derivative of `toy_sigma` squared. It differs from sample to sample."""
    return 1 + 6 * t


def twice_the_noise(t: Tensor) -> Tensor:
    """Return twice `toy_sigma`."""
    return 2 * toy_sigma(t)


# Runs whose score is passed as a module, which a copy would cut off from its parameters: is it in training mode?
AS_MODULE = {"again": True, "three": False}


class Places(nn.Module):
    """A score and a sigma that note how far from the given places and times they are evaluated.

    Args:
        field: The score.
        sigma: The noise level as a function of time.
        x: The given states, (b, d).
        t: The given times, (b, 1).

    Attributes:
        farthest: The largest distance of an evaluated coordinate or time from the nearest given one.
    """

    def __init__(self, field: nn.Module, sigma: StubSigma, x: Tensor, t: Tensor):
        super().__init__()
        self.field, self.noise, self.x, self.t = field, sigma, x.detach().clone(), t.detach().clone()
        self.farthest = 0.0

    def sigma(self, t: Tensor) -> Tensor:
        """Return the noise level at t."""
        self.note(t, self.t)
        return self.noise(t)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the field at x and t."""
        self.note(x, self.x)
        self.note(t, self.t)
        return self.field(x, t)

    def note(self, actual: object, given: Tensor) -> None:
        """Compare the numbers of a tensor with the given ones; of a functorch tensor, those that it wraps."""
        functorch = torch._C._functorch
        while isinstance(actual, Tensor) and functorch.is_functorch_wrapped_tensor(actual):
            actual = functorch.get_unwrapped(actual)
        if isinstance(actual, Tensor) and actual.device.type != "meta" and 0 < actual.numel() <= 4096:
            gaps = (actual.detach().double().reshape(-1, 1) - given.double().reshape(1, -1)).abs().amin(1)
            self.farthest = max(self.farthest, float(gaps.max()))
