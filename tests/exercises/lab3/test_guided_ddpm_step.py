"""Exercise 3.5: the formulas that grade, and the numbers of the public check, against the oracle."""

import pytest
import torch

from autograder.exercises.lab3.guided_ddpm_step import Guidance, Step
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.batches import BATCHES
from utils.checks.kits.schedules import made_up_schedule
from utils.checks.lab3.guided_ddpm_step import GUIDED, STEPS, GuidanceInputs, StepInputs

CHALLENGE = Challenge("lab3.test", b"a key")
PUBLIC = Challenge.public("lab3.guided_ddpm_step")


def guided(challenge: Challenge, run: str) -> torch.Tensor:
    given = oracles.doubled(GuidanceInputs.of(challenge, run))
    return oracles.guided(
        given["noise_estimate"], given["gradient"], given["t"], given["w"], made_up_schedule(challenge)
    )


def step(challenge: Challenge, run: str) -> torch.Tensor:
    return oracles.ddpm(**oracles.doubled(StepInputs.of(challenge, run)), schedule=made_up_schedule(challenge))


@pytest.mark.parametrize(("name", "make", "numbers"), [("guided", guided, GUIDED), ("step", step, STEPS)])
def test_the_numbers_of_the_public_check(name, make, numbers):
    values = {f"{run}_{name}": make(PUBLIC, run) for run in BATCHES}
    expected = {f"{run}_{name}": number for run, number in numbers.items()}
    assert oracles.projections(PUBLIC.exercise, values) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("run", BATCHES)
def test_the_results_of_the_grader(run):
    guidance = Guidance.of(CHALLENGE, run, torch.zeros(()))
    assert torch.allclose(guidance.guided(guidance.levels.total), guided(CHALLENGE, run), atol=1e-11)
    assert torch.allclose(Step.of(CHALLENGE, run).right, step(CHALLENGE, run), atol=1e-11)
