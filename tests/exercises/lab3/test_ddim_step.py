"""Exercise 3.6: the formula that grades, and the numbers of the public check, against the oracle."""

import pytest
import torch

from autograder.exercises.lab3.ddim_step import Jump
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.batches import BATCHES
from utils.checks.kits.schedules import made_up_schedule
from utils.checks.lab3.ddim_step import PROJECTIONS, Inputs

CHALLENGE = Challenge("lab3.test", b"a key")
PUBLIC = Challenge.public("lab3.ddim_step")


def result(challenge: Challenge, run: str) -> torch.Tensor:
    return oracles.ddim(**oracles.doubled(Inputs.of(challenge, run)), schedule=made_up_schedule(challenge))


def test_the_numbers_of_the_public_check():
    values = {run: result(PUBLIC, run) for run in BATCHES}
    assert oracles.projections(PUBLIC.exercise, values) == pytest.approx(PROJECTIONS, abs=2e-6)


@pytest.mark.parametrize("run", BATCHES)
def test_the_step_of_the_grader(run):
    inputs = Inputs.of(CHALLENGE, run)
    assert bool((inputs.t_prev < inputs.t).all()) and bool((inputs.t_prev >= -1).all())
    assert torch.allclose(Jump.of(CHALLENGE, run).right, result(CHALLENGE, run), atol=1e-11)
