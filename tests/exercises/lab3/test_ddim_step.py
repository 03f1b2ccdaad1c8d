"""Exercise 3.6: the formula that grades, and the numbers of the public check, against the oracle."""

import pytest
import torch

from autograder.exercises.lab3.ddim_step import Jump
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.batches import BATCHES
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.lab3.ddim_step import FACTORS, STEP, Inputs

CHALLENGE = Challenge("lab3.test", b"a key")
PUBLIC = Challenge.public("lab3.ddim_step")


def factors(challenge: Challenge, run: str) -> dict[str, torch.Tensor]:
    inputs, schedule = Inputs.of(challenge, run), schedule_of_run(challenge, run, torch.float64)
    return oracles.factors(oracles.ddim, STEP.terms, len(inputs.t), t=inputs.t, t_prev=inputs.t_prev, schedule=schedule)


def test_the_numbers_of_the_public_check():
    oracles.assert_table(FACTORS, {run: factors(PUBLIC, run) for run in BATCHES})


@pytest.mark.parametrize("run", BATCHES)
def test_the_factors_of_the_grader(run):
    inputs = Inputs.of(CHALLENGE, run)
    assert bool((inputs.t_prev < inputs.t).all()) and bool((inputs.t_prev >= -1).all())
    jump = Jump.of(CHALLENGE, run)
    for name, values in factors(CHALLENGE, run).items():
        assert torch.allclose(jump.factors[name], values, rtol=1e-9, atol=1e-11)
    x, e = (getattr(jump, name) for name in STEP.terms)
    ones = [1] * (x.dim() - 1)
    assert torch.allclose(
        jump.right, sum(jump.factors[k].reshape(-1, *ones) * v for k, v in (("x", x), ("noise_estimate", e)))
    )
