"""Grids of times, and the states that a trajectory keeps."""

from __future__ import annotations

import pytest
import torch

from utils.dynamics import ODE, Simulator, record_every


class Count(Simulator):
    """x counts time: the end state is the sum of the steps."""

    def step(self, x, t, h, **kwargs):
        assert t.shape == h.shape == (x.shape[0],) + (1,) * (x.dim() - 1)
        return x + h


class Nothing(ODE):
    def drift_coefficient(self, x, t, **kwargs):
        return torch.zeros_like(x)


@pytest.mark.parametrize("shape", [(4, 2), (4, 1, 3, 3)])
def test_grids_shared_and_per_sample(shape):
    x, shared = torch.zeros(shape, dtype=torch.float64), torch.tensor([0.0, 0.1, 0.7, 1.0], dtype=torch.float64)
    simulator = Count(Nothing())
    ends = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    own = shared * ends[:, None]
    assert torch.allclose(simulator.simulate(x, shared), torch.ones_like(x))
    expected = ends.reshape(-1, *[1] * (x.dim() - 1)).expand(shape)
    assert torch.allclose(simulator.simulate(x, own), expected)
    assert torch.allclose(simulator.simulate(x, own.reshape(4, 4, *[1] * (x.dim() - 1))), expected)
    with pytest.raises(ValueError, match="ts has shape"):
        simulator.simulate(x, own[:3])


def test_trajectories_keep_start_and_end():
    x = torch.zeros(2, 1, dtype=torch.float64)
    walk = Count(Nothing()).simulate_with_trajectory(x, torch.linspace(0, 1, 11, dtype=torch.float64), every=4)
    assert torch.allclose(walk[0].flatten(), torch.tensor([0.0, 0.4, 0.8, 1.0], dtype=torch.float64))
    assert record_every(9, 4).tolist() == [0, 4, 8] and record_every(1, 5).tolist() == [0]
