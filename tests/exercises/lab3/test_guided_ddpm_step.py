"""Exercise 3.5: the formulas that grade, and the numbers of the public check, against the oracle."""

import pytest
import torch

from autograder.exercises.lab3.guided_ddpm_step import Guidance, Step
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.batches import BATCHES, draw_steps
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.lab3.guided_ddpm_step import GUIDED, GUIDED_FACTORS, SCALES, STEP, STEP_FACTORS

CHALLENGE = Challenge("lab3.test", b"a key")
PUBLIC = Challenge.public("lab3.guided_ddpm_step")


def guided(challenge: Challenge, run: str) -> dict[str, torch.Tensor]:
    t, schedule = draw_steps(challenge, run), schedule_of_run(challenge, run, torch.float64)

    def apply(noise_estimate, gradient):
        return oracles.guided(noise_estimate, gradient, t, SCALES[run], schedule)

    return oracles.factors(apply, GUIDED.terms, len(t))


def step(challenge: Challenge, run: str) -> dict[str, torch.Tensor]:
    t, schedule = draw_steps(challenge, run), schedule_of_run(challenge, run, torch.float64)
    return oracles.factors(oracles.ddpm, STEP.terms, len(t), t=t, schedule=schedule)


@pytest.mark.parametrize(("make", "numbers"), [(guided, GUIDED_FACTORS), (step, STEP_FACTORS)])
def test_the_numbers_of_the_public_check(make, numbers):
    oracles.assert_table(numbers, {run: make(PUBLIC, run) for run in BATCHES})


@pytest.mark.parametrize("run", BATCHES)
def test_the_factors_of_the_grader(run):
    for actual, expected in (
        (Guidance.of(CHALLENGE, run, torch.zeros(())).factors, guided(CHALLENGE, run)),
        (Step.of(CHALLENGE, run).factors, step(CHALLENGE, run)),
    ):
        for name, values in expected.items():
            assert torch.allclose(actual[name], values, rtol=1e-7, atol=1e-9), name
