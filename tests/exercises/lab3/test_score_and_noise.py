"""Exercise 3.2: the formulas that grade, and the numbers of the public check, against the oracle."""

import pytest
import torch

from autograder.exercises.lab3.score_and_noise import Terms
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.batches import BATCHES, draw_steps
from utils.checks.kits.second_schedule import schedule_of_run
from utils.checks.lab3.score_and_noise import FACTORS

CHALLENGE = Challenge("lab3.test", b"a key")
PUBLIC = Challenge.public("lab3.score_and_noise")


def factors(challenge: Challenge, run: str, label: str) -> dict[str, torch.Tensor]:
    t, schedule = draw_steps(challenge, run), schedule_of_run(challenge, run, torch.float64)
    if label == "score":
        return oracles.factors(
            lambda noise_estimate: oracles.score(noise_estimate, t, schedule), ["noise_estimate"], len(t)
        )
    return oracles.factors(lambda score: oracles.noise_of(score, t, schedule), ["score"], len(t))


@pytest.mark.parametrize("label", FACTORS)
def test_the_numbers_of_the_public_check(label):
    oracles.assert_table(FACTORS[label], {run: factors(PUBLIC, run, label) for run in BATCHES})


@pytest.mark.parametrize("run", BATCHES)
@pytest.mark.parametrize("label", FACTORS)
def test_the_factors_of_the_grader(run, label):
    expected, actual = factors(CHALLENGE, run, label), Terms.of(CHALLENGE, run, label).factors
    for name, values in expected.items():
        assert torch.allclose(actual[name], values, rtol=1e-9)
