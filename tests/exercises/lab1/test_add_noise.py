"""Exercise 1.2: the hidden formula and the public numbers, against the equations of mean and variance."""

import pytest
import torch
from torch import Tensor

from autograder.exercises.lab1.add_noise import Terms
from tests.exercises.lab1 import oracles
from utils.checks.challenge import Challenge
from utils.checks.lab1.add_noise import ENDS, PUBLIC_ENDS, PUBLIC_NUMBERS, RUNS, Inputs


def noised(inputs: Inputs) -> Tensor:
    """Return x_t from the solution of the two equations."""
    both = torch.tensor([oracles.mean_and_variance(float(s)) for s in inputs.t], dtype=torch.float64)
    mean, variance = both[:, 0].reshape(-1, 1, 1), both[:, 1].reshape(-1, 1, 1)
    return mean * inputs.x0.double() + variance.sqrt() * inputs.noise.double()


def test_the_public_numbers_come_from_the_oracle():
    challenge = Challenge.public("lab1.add_noise")
    for run in RUNS:
        x = noised(Inputs.of(challenge, run))
        directions = challenge.randn(f"{run} noised probe", tuple(x.shape))
        assert PUBLIC_NUMBERS[run] == pytest.approx(float((x * directions).mean()), abs=2e-7), run


@pytest.mark.parametrize("run", RUNS)
def test_the_hidden_formula_solves_the_equations(run):
    inputs = Inputs.of(Challenge("lab1.test", b"a key"), run)
    terms = Terms.of(inputs)
    assert torch.allclose(terms.mixed(terms.alpha, terms.sigma), noised(inputs), atol=1e-6 if run == "single" else 1e-8)


def test_the_factors_at_the_ends_solve_the_equations():
    both = [oracles.mean_and_variance(t) if t else (1.0, 0.0) for t in ENDS]
    assert PUBLIC_ENDS["data"] == pytest.approx([mean for mean, _ in both], abs=1e-7)
    assert PUBLIC_ENDS["noise"] == pytest.approx([variance**0.5 for _, variance in both], abs=1e-7)
