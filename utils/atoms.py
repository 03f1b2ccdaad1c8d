"""Two pseudo-atoms on a ring: the data, the interface of a noise schedule, and the loop of a sampler.

The cell is [0, 1) with its ends joined. A state is two relative coordinates, shape (b, 2). Time is diffusion time with
the data at t = 0, shape (b, 1). Scores, noise and steps are exercises; they are passed as arguments.
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
    """The data: N(CENTRES, sigma_d² I), wrapped onto the ring. The first atom is always the one near 0.25.

    Args:
        sigma_d: the standard deviation of each coordinate, at least 0.
        device: where samples are created.
        dtype: their floating-point type.
    """

    def __init__(
        self, sigma_d: float = SIGMA_D, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ):
        self.sigma_d = sigma_d
        self.centres = torch.tensor(CENTRES, device=device, dtype=dtype)

    def sample(self, n: int) -> tuple[Tensor, None]:
        """Draw states.

        Args:
            n: how many, at least 1.

        Returns:
            The states in [0, 1), shape (n, 2), and None, because there are no labels.
        """
        noise = torch.randn(n, 2, device=self.centres.device, dtype=self.centres.dtype)
        return (self.centres + self.sigma_d * noise) % 1.0, None


class NoiseSchedule(ABC):
    """The size of the noise at time t in [0, 1]: sigma_min at t = 0, sigma_max at t = 1.

    Args:
        sigma_min: the standard deviation at t = 0, positive.
        sigma_max: the standard deviation at t = 1, above sigma_min.

    Raises:
        ValueError: the two are not positive and rising.
    """

    def __init__(self, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX):
        if not 0 < sigma_min < sigma_max:
            raise ValueError(f"need 0 < sigma_min < sigma_max, got {sigma_min} and {sigma_max}")
        self.sigma_min, self.sigma_max = float(sigma_min), float(sigma_max)

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """Return the standard deviation of the noise.

        Args:
            t: times in [0, 1], any shape.

        Returns:
            The standard deviations, shape of t.
        """

    @abstractmethod
    def add_noise(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return the noisy states on the ring.

        Args:
            x0: states in [0, 1), shape (b, 2).
            t: times in [0, 1], shape (b, 1).
            noise: standard normal noise, shape (b, 2).

        Returns:
            States in [0, 1), shape (b, 2).
        """


def uniform_states(n: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw states with both atoms anywhere on the ring. Sampling starts from them.

    Args:
        n: how many, at least 1.
        device: where they are created.
        dtype: their floating-point type.

    Returns:
        States in [0, 1), shape (n, 2).
    """
    return torch.rand(n, 2, device=device, dtype=dtype)


def states_on_a_grid(points: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the centres of points × points squares that fill the cell.

    Args:
        points: the number of squares along each side, at least 1.
        device: where the states are created.
        dtype: their floating-point type.

    Returns:
        States in (0, 1), shape (points², 2). The first coordinate changes slowest.

    Example:
        >>> states_on_a_grid(2).tolist()
        [[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]]
    """
    side = (torch.arange(points, device=device, dtype=dtype) + 0.5) / points
    return torch.cartesian_prod(side, side)


@jaxtyped(typechecker=typechecked)
def distance_to_crystal(x: Float[Tensor, "b 2"]) -> Float[Tensor, " b"]:
    """Return the distance on the torus to the nearer of (0.25, 0.75) and (0.75, 0.25).

    Args:
        x: states, shape (b, 2).

    Returns:
        Distances, at least 0, shape (b,).

    Example:
        >>> distance_to_crystal(torch.tensor([[0.25, 0.75], [0.75, 1.25], [0.25, 0.25]])).tolist()
        [0.0, 0.0, 0.5]
    """
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
    """Walk from t = 1 to t = 0: at each noise level one predictor step, then `correctors` Langevin steps.

    Args:
        score: score(x, t) with x of shape (b, 2) and t of shape (b, 1) returns the score, shape (b, 2).
        schedule: the size of the noise.
        predictor_step: predictor_step(x, score, sigma_now, sigma_later, noise) returns the next states, shape (b, 2);
            the sigmas have the shape (b, 1).
        corrector_step: corrector_step(x, score, size, noise) returns the next states, shape (b, 2); the size is
            (ratio * sigma)² / 2, shape (b, 1). None takes no corrector steps.
        x: the states at t = 1, shape (b, 2).
        steps: the number of predictor steps, at least 1.
        correctors: the number of corrector steps after each of them, at least 0.
        ratio: the size of a corrector step relative to sigma, positive.
        every: if given, also return the start and the states after every `every`-th step.

    Returns:
        The states at t = 0, shape (b, 2); with `every`, a pair of them and the recorded states, shape (recorded, b, 2).

    References:
        Song et al. (2021), "Score-based generative modeling through SDEs", algorithms 1 and 2.
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
