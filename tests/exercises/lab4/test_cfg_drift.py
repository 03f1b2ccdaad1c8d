"""The guided velocity, where guided means are known."""

from __future__ import annotations

import torch

from .oracles import GRID, euler_gain, velocity


def test_guided_means_are_extrapolated(lab):
    """With equal widths, the guided flow ends at (1 - w) m_null + w m_y, with the spread of the unguided one."""
    null, own = torch.tensor([0.0, 0.5]), torch.tensor([2.0, -1.0])
    w, std = 3.0, 0.5

    class Net(torch.nn.Module):
        def forward(self, x, t, y):
            mean = torch.where((y == 7)[:, None], null, own)[:, None, None]
            return velocity(x, t, mean, std)

    ode = lab["CFGVectorFieldODE"](Net(), w, 7)
    x, y = torch.randn(40, 1, 1, 2), torch.tensor([1, 7]).repeat(20)
    end = lab["EulerSimulator"](ode).simulate(x, GRID, y=y)
    centre = torch.where((y == 7)[:, None], null, (1 - w) * null + w * own)[:, None, None]
    torch.testing.assert_close(end, centre + euler_gain(std) * x)
