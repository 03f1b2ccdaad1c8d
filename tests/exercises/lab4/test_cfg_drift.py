"""The guided velocity, where guided means are known."""

from __future__ import annotations

import pytest
import torch

from tests.exercises.lab4.oracles import GRID, euler_gain, velocity
from utils.checks.challenge import Challenge
from utils.checks.lab4.cfg_drift import PUBLIC_DRIFTS, drift_probe
from utils.checks.lab4.cfg_drift_inputs import Inputs
from utils.checks.stubs import RandomField


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


def guided_by_scores(x, u_null, u_y, w):
    """Return the guided velocity of a path with u = 1.3 x + 0.7 score: to scores, guided, and back."""
    null, own = ((u - 1.3 * x) / 0.7 for u in (u_null, u_y))
    return 1.3 * x + 0.7 * (null + w * (own - null))


@pytest.mark.parametrize("run", PUBLIC_DRIFTS)
def test_the_public_numbers_of_the_drift_come_from_an_oracle(run):
    challenge = Challenge.public("lab4.cfg_drift")
    inputs, net = Inputs.of(challenge, run), RandomField(challenge, "net")
    x, t = inputs.x.double(), inputs.t.double()
    u_null, u_y = (net(x, t, label) for label in (inputs.null, inputs.y))
    drift = guided_by_scores(x, u_null, u_y, inputs.w)
    assert (drift * drift_probe(challenge, run)).mean().item() == pytest.approx(PUBLIC_DRIFTS[run], abs=1e-6)
