"""Differential equations and their simulation. The loop over time is here; the step is the student's."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from utils.runtime import progress


class ODE(ABC):
    """dx/dt = drift(x, t)"""

    @abstractmethod
    def drift_coefficient(self, x: Tensor, t: Tensor, **kwargs) -> Tensor:
        """The velocity at x, shape of x. t has shape (b, 1, …, 1); `kwargs` may hold labels y."""


class Simulator(ABC):
    """Walks along a grid of times. A subclass says what one step does.

    `ts` is a grid shared by all samples, shape (n,), or one grid a sample, shape (b, n) or (b, n, 1, …, 1).
    A step receives t and h with the shape (b, 1, …, 1).
    """

    def __init__(self, ode: ODE):
        self.ode = ode

    @abstractmethod
    def step(self, x: Tensor, t: Tensor, h: Tensor, **kwargs) -> Tensor:
        """The state at t + h from the state x at t."""

    @torch.no_grad()
    def simulate(self, x: Tensor, ts: Tensor, **kwargs) -> Tensor:
        """The state at the last time, shape of x. `kwargs` go to every step."""
        state = x
        for _, state in self.walk(x, ts, **kwargs):  # noqa: B007, the last one is wanted
            pass
        return state

    @torch.no_grad()
    def simulate_with_trajectory(self, x: Tensor, ts: Tensor, every: int = 1, **kwargs) -> Tensor:
        """The states at the times `record_every(n, every)`, start and end included: shape (b, recorded, …)."""
        wanted = set(record_every(times_of(ts, x).shape[1], every).tolist())
        states = [x.clone()]
        states += [state.clone() for i, state in self.walk(x, ts, **kwargs) if i in wanted]
        return torch.stack(states, dim=1)

    def walk(self, x: Tensor, ts: Tensor, **kwargs):
        """Yields (i, state at ts[i]) for i = 1, 2, …; ValueError where `ts` does not fit the batch."""
        ts = times_of(ts, x)
        for i in progress(range(1, ts.shape[1]), "simulating"):
            x = self.step(x, ts[:, i - 1], ts[:, i] - ts[:, i - 1], **kwargs)
            yield i, x


def times_of(ts: Tensor, x: Tensor) -> Tensor:
    """The grid as (b, n, 1, …, 1), ready to be indexed by step."""
    b, rank = x.shape[0], x.dim()
    ts = ts.to(x.device)
    if ts.dim() == 1:
        ts = ts.expand(b, -1)
    if ts.shape[0] != b or ts.shape[2:].numel() != 1:
        raise ValueError(f"ts has shape {tuple(ts.shape)}; expected (n,) or ({b}, n, 1, …) for a batch of {b}")
    return ts.reshape(b, -1, *[1] * (rank - 1))


def record_every(num_times: int, every: int) -> Tensor:
    """Indices 0, every, 2 every, … and always the last one, num_times - 1."""
    if num_times < 1 or every < 1:
        raise ValueError(f"need at least one time and a positive interval, got {num_times} and {every}")
    indices = torch.arange(0, num_times, every)
    return indices if indices[-1] == num_times - 1 else torch.cat([indices, torch.tensor([num_times - 1])])
