"""Exercise 2.3: stubs for dataset, schedule and model."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from utils.atoms import SIGMA_MIN, TwoAtoms
from utils.checks.challenge import Challenge
from utils.checks.kits.ring import on_ring
from utils.checks.stubs import RandomField, Recorder, per_sample

REACH = 2.5  # times the mixed noise
LARGEST_SIGMA = 0.5  # the largest noise for which the lab's periodic copies are enough


class StubAtoms(TwoAtoms):
    """Random states, with the attributes of the lab's dataset.

    `sample` returns views of its own storage, so that a state changed in place shows.

    Attributes:
        record: The recorder of all calls.
    """

    def __init__(self, challenge: Challenge, run: str, dtype: torch.dtype, size: int = 512):
        super().__init__(device=challenge.device, dtype=dtype)
        self.states = challenge.rand(f"{run} states", (size, 2), dtype=dtype)
        self.next = 0
        self.record = Recorder(self.draw, ("n",))

    def sample(self, n: int) -> tuple[Tensor, None]:
        """Return the next n states, and record the call."""
        return self.record(n)

    def draw(self, n: int) -> tuple[Tensor, None]:
        """Return the next n states."""
        rows = slice(self.next, self.next + n)
        if rows.stop > len(self.states):
            raise ValueError(f"asked for {rows.stop} states; {len(self.states)} are enough for this exercise")
        self.next = rows.stop
        return self.states[rows], None


class StubSchedule:
    """A random schedule: sigma is a wave between the lab's least noise and 0.5, and the displacement is not the noise.

    The wave runs through more than one period while t goes from 0 to 1, so that all noise levels occur.
    """

    def __init__(self, challenge: Challenge):
        cpu = challenge.on("cpu")
        self.speed, self.phase = cpu.number("stub speed", 7.0, 9.0), cpu.number("stub phase", 0.0, 6.0)
        self.sigma_min, self.sigma_max = SIGMA_MIN, LARGEST_SIGMA
        self.mix = RandomField(challenge, "noised")
        self.sigma = Recorder(self.wave, ("t",))
        self.add_noise = Recorder(self.noised, ("x0", "t", "noise"))

    def wave(self, t: Tensor) -> Tensor:
        """Return sigma(t)."""
        middle, swing = math.log(SIGMA_MIN * LARGEST_SIGMA) / 2, math.log(LARGEST_SIGMA / SIGMA_MIN) / 2
        return torch.exp(middle + swing * torch.sin(self.speed * t + self.phase))

    def noised(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return the noised state, up to about five sigma away for ordinary noise, as far as the lab's goes."""
        return (x0 + REACH * self.wave(per_sample(t, x0)) * self.mix(noise, t, x0)) % 1.0


class PushForward:
    """A schedule that moves every atom by the same distance, whatever the noise, and has the same sigma at any time."""

    def __init__(self, distance: float, sigma: float):
        self.distance = distance
        self.sigma_min = self.sigma_max = sigma

    def sigma(self, t: Tensor) -> Tensor:
        """Return the same noise level at every time, with the shape of t."""
        return torch.full_like(t, self.sigma_min)

    def add_noise(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return the moved state, the shape of x0."""
        return (x0 + self.distance) % 1.0


class PushBySigma(PushForward):
    """A schedule whose sigma grows linearly in time, and that moves every atom forward by twice its own sigma."""

    def __init__(self, low: float, high: float):
        super().__init__(0.0, low)
        self.sigma_max = high

    def sigma(self, t: Tensor) -> Tensor:
        """Return the noise level at each time, with the shape of t."""
        return self.sigma_min + (self.sigma_max - self.sigma_min) * t

    def add_noise(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return the moved state, the shape of x0."""
        return (x0 + 2 * self.sigma(t)) % 1.0


class PushByTwoSigmas(PushForward):
    """A schedule with one sigma in the first half of the times and another in the second."""

    def __init__(self, distance: float, early: float, late: float):
        super().__init__(distance, early)
        self.sigma_max = late

    def sigma(self, t: Tensor) -> Tensor:
        """Return the noise level at each time, with the shape of t."""
        return torch.where(t < 0.5, self.sigma_min, self.sigma_max).to(t.dtype)


class PushEitherWay(PushForward):
    """A schedule that moves every atom forward or backward, by the sign of its noise."""

    def add_noise(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return the moved state, the shape of x0."""
        return (x0 + self.distance * noise.sign()) % 1.0


class ConstantModel(nn.Module):
    """A model that returns the same two numbers for every state, one for each atom."""

    def __init__(self, first: float, second: float):
        super().__init__()
        self.values = nn.Parameter(torch.tensor([first, second], dtype=torch.float64))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the two numbers for every row of x."""
        return self.values.expand(x.shape)


class TwoTimesModel(nn.Module):
    """A model that returns one number for both atoms in the first half of the times, and another in the second."""

    def __init__(self, early: float, late: float):
        super().__init__()
        self.values = nn.Parameter(torch.tensor([early, late], dtype=torch.float64))
        self.late, self.rows = 0, 0  # samples of the second half, and of both

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the number of each row's time, with the shape of x."""
        self.late, self.rows = self.late + int((t >= 0.5).sum()), self.rows + len(x)
        return torch.where(t < 0.5, self.values[0], self.values[1]).expand(x.shape)


class SideModel(nn.Module):
    """A model that points back to one known state, with the same strength for every atom."""

    def __init__(self, place: Tensor, strength: float):
        super().__init__()
        self.place = place
        self.values = nn.Parameter(torch.full((), strength, dtype=place.dtype))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the direction to the known state, with the shape of x."""
        return -self.values * on_ring(x - self.place).sign()
