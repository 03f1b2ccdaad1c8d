"""Lab 1's noise schedule against its differential equations."""

import pytest
import torch

from tests.exercises.lab1 import oracles
from utils import vp


@pytest.mark.parametrize("t", [1e-3, 0.01, 0.3, 0.7, 1.0])
def test_the_schedule_solves_its_equations(t):
    a, v = oracles.mean_and_variance(t)
    time = torch.tensor(t, dtype=torch.float64)
    assert float(vp.alpha(time)) == pytest.approx(a, rel=1e-8) and float(vp.sigma(time)) ** 2 == pytest.approx(
        v, rel=1e-7
    )


def test_times_fall_from_noise_to_data():
    grid = vp.times(50)
    assert grid[0] == 1 and float(grid[-1]) == pytest.approx(vp.T_MIN) and (grid.diff() < 0).all()
    assert len(grid) == 51 and grid.diff().abs()[0] > grid.diff().abs()[-1]
