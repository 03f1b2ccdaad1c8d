"""A challenge: the inputs of one exercise's probe, all derived from one key.

The grader derives the key from a secret of the instructor's and from the submission, so that nobody can prepare for it.
`check` in a student's notebook uses a public key: the same inputs every time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

PUBLIC = b"the public challenge"


@dataclass(frozen=True)
class Challenge:
    """Named random inputs, fixed by `key`. Drawn on the CPU, then moved: the same numbers on every device."""

    exercise: str
    key: bytes
    device: str = "cpu"

    @classmethod
    def public(cls, exercise: str) -> Challenge:
        return cls(exercise, hashlib.sha256(PUBLIC).digest())

    def on(self, device: str) -> Challenge:
        """The same challenge on another device; `meta` has shapes but no numbers."""
        return replace(self, device=device)

    def seed(self, name: str) -> int:
        digest = hashlib.sha256(b"\0".join([self.key, self.exercise.encode(), name.encode()])).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def generator(self, name: str) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed(name))

    def randn(self, name: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self.generator(name), dtype=torch.float64).to(self.device, dtype)

    def rand(
        self,
        name: str,
        shape: tuple[int, ...],
        low: float = 0.0,
        high: float = 1.0,
        dtype: torch.dtype = torch.float64,
    ) -> Tensor:
        """Uniform numbers in [low, high)."""
        unit = torch.rand(shape, generator=self.generator(name), dtype=torch.float64)
        return (low + (high - low) * unit).to(self.device, dtype)

    def randint(self, name: str, low: int, high: int, shape: tuple[int, ...]) -> Tensor:
        """Integers in [low, high), int64."""
        return torch.randint(low, high, shape, generator=self.generator(name)).to(self.device)

    def number(self, name: str, low: float, high: float) -> float:
        """One Python float in [low, high)."""
        unit = torch.rand((), generator=self.generator(name), dtype=torch.float64)
        return low + (high - low) * float(unit)

    def integer(self, name: str, low: int, high: int) -> int:
        """One Python int in [low, high)."""
        return int(torch.randint(low, high, (), generator=self.generator(name)))

    def bent_grid(self, name: str, start: float, stop: float, points: int) -> Tensor:
        """`points` times from start to stop with random, unequal steps: a step size that is assumed constant shows."""
        steps = 0.5 + torch.rand(points - 1, generator=self.generator(name), dtype=torch.float64)
        inner = torch.cat([torch.zeros(1, dtype=torch.float64), steps.cumsum(0) / steps.sum()])
        return (start + (stop - start) * inner).to(self.device)
