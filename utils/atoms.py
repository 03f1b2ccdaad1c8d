"""Two pseudo-atoms on a ring: what the data are, what a noise schedule knows, and the loop of a sampler.

The cell is [0, 1) with its ends glued together. One state is two relative coordinates, shape (b, 2). Time is diffusion
time, data at t = 0, shape (b, 1). Scores, noise and steps are the lab's exercises: they come in as arguments.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float, jaxtyped
from torch import Tensor
from typeguard import typechecked

from utils.distributions import Sampleable
from utils.runtime import progress

CENTRES = (0.25, 0.75)  # where the first and the second atom sit
SIGMA_D = 0.01  # how far they stray
SIGMA_MIN, SIGMA_MAX = 0.001, 0.2  # the noise at t = 0 and at t = 1
IMAGES = tuple(range(-5, 6))  # periodic copies that count: enough for every width up to 0.5


class TwoAtoms(Sampleable):
    """The data: N(CENTRES, sigma_d² I), put back onto the ring. The first atom is always the one near 0.25."""

    def __init__(
        self, sigma_d: float = SIGMA_D, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ):
        self.sigma_d = sigma_d
        self.centres = torch.tensor(CENTRES, device=device, dtype=dtype)

    def sample(self, n: int) -> tuple[Tensor, None]:
        """`n` states, shape (n, 2) in [0, 1]; there are no labels."""
        noise = torch.randn(n, 2, device=self.centres.device, dtype=self.centres.dtype)
        return (self.centres + self.sigma_d * noise) % 1.0, None


class NoiseSchedule(ABC):
    """How much noise at time t in [0, 1]: sigma_min at t = 0, sigma_max at t = 1."""

    def __init__(self, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX):
        if not 0 < sigma_min < sigma_max:
            raise ValueError(f"need 0 < sigma_min < sigma_max, got {sigma_min} and {sigma_max}")
        self.sigma_min, self.sigma_max = float(sigma_min), float(sigma_max)

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """The noise's standard deviation, shape of t."""

    @abstractmethod
    def add_noise(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The noised state on the ring, shape of x0."""


def uniform_states(n: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
    """Both atoms anywhere: where sampling starts."""
    return torch.rand(n, 2, device=device, dtype=dtype)


def states_on_a_grid(points: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
    """The centres of points × points squares that fill the cell, shape (points², 2); the first coordinate runs slowest."""
    side = (torch.arange(points, device=device, dtype=dtype) + 0.5) / points
    return torch.cartesian_prod(side, side)


@jaxtyped(typechecker=typechecked)
def distance_to_crystal(x: Float[Tensor, "b 2"]) -> Float[Tensor, " b"]:
    """Distance on the torus to the nearer of (0.25, 0.75) and (0.75, 0.25)."""
    centres = torch.tensor(CENTRES, device=x.device, dtype=x.dtype)
    gaps = torch.stack([x - centres, x - centres.flip(0)])
    return (gaps - gaps.round()).norm(dim=-1).amin(dim=0)


@torch.no_grad()
def generate(
    score: Callable[[Tensor, Tensor], Tensor],
    schedule: NoiseSchedule,
    predictor_step: Callable[..., Tensor],
    corrector_step: Callable[..., Tensor] | None,
    x: Tensor,
    steps: int = 21,
    correctors: int = 2,
    ratio: float = 0.12,
    every: int | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Walk from t = 1 to t = 0: one predictor step to the next noise level, then `correctors` Langevin steps there.

    score(x, t): the un-normalised score, shape of x. predictor_step(x, score, sigma_now, sigma_later, noise) and
    corrector_step(x, score, size, noise) return the shape of x; sigmas and size have the shape (b, 1), and the size of a
    corrector step is (ratio · sigma)² / 2.
    Returns the states at t = 0; with `every`, also the start and the states after every `every`-th step, (recorded, b, 2).
    """
    times = torch.linspace(1, 0, steps + 1, device=x.device, dtype=x.dtype)
    sigmas = schedule.sigma(times.reshape(-1, 1))
    recorded = [x.clone()]
    for i in progress(range(steps), "sampling"):
        t, t_next = (times[j].expand(len(x), 1) for j in (i, i + 1))
        now, later = (sigmas[j].expand(len(x), 1) for j in (i, i + 1))
        x = predictor_step(x, score(x, t), now, later, torch.randn_like(x))
        if corrector_step is not None:
            for _ in range(correctors):
                x = corrector_step(x, score(x, t_next), (ratio * later) ** 2 / 2, torch.randn_like(x))
        if every and (i + 1) % every == 0:
            recorded.append(x.clone())
    return (x, torch.stack(recorded)) if every else x
