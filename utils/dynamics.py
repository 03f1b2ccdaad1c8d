"""Differential equations and their simulation. The loop over time is here; the step is an exercise."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from utils.runtime import progress


class ODE(ABC):
    """The ordinary differential equation dx/dt = drift_coefficient(x, t)."""

    @abstractmethod
    def drift_coefficient(self, x: Tensor, t: Tensor, **kwargs) -> Tensor:
        """Return the velocity at x.

        Args:
            x: states, shape (b, …).
            t: times, shape (b, 1, …, 1) with as many axes as x.
            **kwargs: further inputs, such as labels y of shape (b,).

        Returns:
            The velocities, shape of x.
        """


class Simulator(ABC):
    """A walk along a grid of times. A subclass defines one step.

    The grid `ts` is shared by all samples, shape (n,), or there is one for each sample, shape (b, n) or (b, n, 1, …,
    1).

    Args:
        ode: the equation whose drift the steps use.
    """

    def __init__(self, ode: ODE):
        self.ode = ode

    @abstractmethod
    def step(self, x: Tensor, t: Tensor, h: Tensor, **kwargs) -> Tensor:
        """Return the state at t + h.

        Args:
            x: the states at t, shape (b, …).
            t: times, shape (b, 1, …, 1) with as many axes as x.
            h: step sizes, shape of t. They may differ from step to step and from sample to sample.
            **kwargs: further inputs of the drift, such as labels y of shape (b,).

        Returns:
            The next states, shape of x.
        """

    @torch.no_grad()
    def simulate(self, x: Tensor, ts: Tensor, **kwargs) -> Tensor:
        """Walk along the whole grid without gradients, and return the last state.

        Args:
            x: the states at the first time, shape (b, …).
            ts: the grid, shape (n,), (b, n) or (b, n, 1, …, 1).
            **kwargs: further inputs of every step, such as labels y of shape (b,).

        Returns:
            The states at the last time, shape of x.

        Raises:
            ValueError: `ts` does not fit the batch.
        """
        state = x
        for _, state in self.walk(x, ts, **kwargs):  # noqa: B007, the last one is wanted
            pass
        return state

    @torch.no_grad()
    def simulate_with_trajectory(self, x: Tensor, ts: Tensor, every: int = 1, **kwargs) -> Tensor:
        """Walk along the whole grid without gradients, and return the states on the way.

        Args:
            x: the states at the first time, shape (b, …).
            ts: the grid, shape (n,), (b, n) or (b, n, 1, …, 1).
            every: keep every `every`-th state, at least 1. The first and the last one are always kept.
            **kwargs: further inputs of every step, such as labels y of shape (b,).

        Returns:
            The states at the indices `record_every(n, every)`, shape (b, recorded, …).

        Raises:
            ValueError: `ts` does not fit the batch.
        """
        recorded = set(record_every(times_of(ts, x).shape[1], every).tolist())
        states = [x.clone()]
        states += [state.clone() for i, state in self.walk(x, ts, **kwargs) if i in recorded]
        return torch.stack(states, dim=1)

    def walk(self, x: Tensor, ts: Tensor, **kwargs):
        """Yield the index and the state after each step.

        Args:
            x: the states at the first time, shape (b, …).
            ts: the grid, shape (n,), (b, n) or (b, n, 1, …, 1).
            **kwargs: further inputs of every step.

        Yields:
            (i, states at ts[i]) for i = 1, 2, …

        Raises:
            ValueError: `ts` does not fit the batch.
        """
        ts = times_of(ts, x)
        for i in progress(range(1, ts.shape[1]), "simulating"):
            x = self.step(x, ts[:, i - 1], ts[:, i] - ts[:, i - 1], **kwargs)
            yield i, x


def times_of(ts: Tensor, x: Tensor) -> Tensor:
    """Give a grid of times the shape that steps need.

    Args:
        ts: the grid, shape (n,), (b, n) or (b, n, 1, …, 1).
        x: states, shape (b, …).

    Returns:
        The grid on the device of x, shape (b, n, 1, …, 1), so that `ts[:, i]` has as many axes as x.

    Raises:
        ValueError: `ts` does not fit the batch.

    Example:
        >>> times_of(torch.linspace(0, 1, 11), torch.zeros(4, 1, 8, 8)).shape
        torch.Size([4, 11, 1, 1, 1])
    """
    b, rank = x.shape[0], x.dim()
    ts = ts.to(x.device)
    if ts.dim() == 1:
        ts = ts.expand(b, -1)
    if ts.shape[0] != b or ts.shape[2:].numel() != 1:
        raise ValueError(f"ts has shape {tuple(ts.shape)}; expected (n,) or ({b}, n, 1, …) for a batch of {b}")
    return ts.reshape(b, -1, *[1] * (rank - 1))


def record_every(num_times: int, every: int) -> Tensor:
    """Return the indices 0, every, 2 every, … and always the last one, num_times - 1.

    Args:
        num_times: the length of the grid, at least 1.
        every: the interval, at least 1.

    Returns:
        Indices in rising order, int64 of shape (recorded,).

    Raises:
        ValueError: an argument is smaller than 1.

    Example:
        >>> record_every(11, 4).tolist()
        [0, 4, 8, 10]
    """
    if num_times < 1 or every < 1:
        raise ValueError(f"need at least one time and a positive interval, got {num_times} and {every}")
    indices = torch.arange(0, num_times, every)
    return indices if indices[-1] == num_times - 1 else torch.cat([indices, torch.tensor([num_times - 1])])
