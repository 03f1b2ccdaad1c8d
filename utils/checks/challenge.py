"""The inputs of one exercise's probe, all derived from one key.

The grader derives the key from the instructor's secret and from the submission, so students cannot know the inputs in
advance. `check` in a student's notebook uses a public key and therefore the same inputs every time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

PUBLIC = b"the public challenge"


@dataclass(frozen=True)
class Challenge:
    """Named random inputs that are fixed by a key.

    They are drawn on the CPU and then moved, so the numbers are the same on every device.

    Args:
        exercise: the exercise's name.
        key: secret bytes, or the public key.
        device: where tensors go.

    Example:
        >>> challenge = Challenge.public("lab4.cfg_drift")
        >>> torch.equal(challenge.randn("x", (2, 3)), challenge.randn("x", (2, 3)))
        True
    """

    exercise: str
    key: bytes
    device: str = "cpu"

    @classmethod
    def public(cls, exercise: str) -> Challenge:
        """Make the challenge that `check` uses.

        Args:
            exercise: the exercise's name.

        Returns:
            The challenge with the public key.
        """
        return cls(exercise, hashlib.sha256(PUBLIC).digest())

    def on(self, device: str) -> Challenge:
        """Return the same challenge on another device.

        Args:
            device: the device.

        Returns:
            The challenge.
        """
        return replace(self, device=device)

    def seed(self, name: str) -> int:
        """Return a seed for one name.

        Args:
            name: what the seed is for.

        Returns:
            An integer from 0 to 2^63 - 1.
        """
        digest = hashlib.sha256(b"\0".join([self.key, self.exercise.encode(), name.encode()])).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def generator(self, name: str) -> torch.Generator:
        """Return a generator of random numbers for one name.

        Args:
            name: what the numbers are for.

        Returns:
            A generator on the CPU.
        """
        return torch.Generator().manual_seed(self.seed(name))

    def randn(self, name: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
        """Return standard normal numbers.

        Args:
            name: what the numbers are for.
            shape: the shape.
            dtype: the floating-point type.

        Returns:
            The numbers, of that shape.
        """
        return normal_numbers(self.seed(name), shape).to(self.device, dtype, copy=True)

    def rand(
        self,
        name: str,
        shape: tuple[int, ...],
        low: float = 0.0,
        high: float = 1.0,
        dtype: torch.dtype = torch.float64,
    ) -> Tensor:
        """Return uniform numbers in [low, high).

        Args:
            name: what the numbers are for.
            shape: the shape.
            low: the lower end.
            high: the upper end.
            dtype: the floating-point type.

        Returns:
            The numbers, of that shape.
        """
        unit = torch.rand(shape, generator=self.generator(name), dtype=torch.float64)
        return (low + (high - low) * unit).to(self.device, dtype)

    def randint(self, name: str, low: int, high: int, shape: tuple[int, ...]) -> Tensor:
        """Return uniform integers in [low, high).

        Args:
            name: what the numbers are for.
            low: the smallest integer.
            high: one more than the largest integer.
            shape: the shape.

        Returns:
            The integers, int64, of that shape.
        """
        return torch.randint(low, high, shape, generator=self.generator(name)).to(self.device)

    def number(self, name: str, low: float, high: float) -> float:
        """Return one uniform number in [low, high).

        Args:
            name: what the number is for.
            low: the lower end.
            high: the upper end.

        Returns:
            A Python float.
        """
        unit = torch.rand((), generator=self.generator(name), dtype=torch.float64)
        return low + (high - low) * float(unit)

    def integer(self, name: str, low: int, high: int) -> int:
        """Return one uniform integer in [low, high).

        Args:
            name: what the number is for.
            low: the smallest integer.
            high: one more than the largest integer.

        Returns:
            A Python int.
        """
        return int(torch.randint(low, high, (), generator=self.generator(name)))

    def bent_grid(self, name: str, start: float, stop: float, points: int) -> Tensor:
        """Return times with random, unequal steps, which reveal code that assumes a constant step.

        Args:
            name: what the times are for.
            start: the first time.
            stop: the last time.
            points: how many times, at least 2.

        Returns:
            The times, shape (points,), float64.
        """
        steps = 0.5 + torch.rand(points - 1, generator=self.generator(name), dtype=torch.float64)
        inner = torch.cat([torch.zeros(1, dtype=torch.float64), steps.cumsum(0) / steps.sum()])
        return (start + (stop - start) * inner).to(self.device)


@lru_cache(maxsize=16)  # a judge rebuilds the same inputs for every run of an exercise
def normal_numbers(seed: int, shape: tuple[int, ...]) -> Tensor:
    """Return standard normal numbers, which nobody may change.

    Args:
        seed: a seed of `Challenge.seed`.
        shape: the shape.

    Returns:
        The numbers, float64 on the CPU, of that shape.
    """
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
