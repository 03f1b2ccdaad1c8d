"""Exercise 3.2: the formulas that grade, and the numbers of the public check, against the oracle."""

import pytest
import torch

from autograder.exercises.lab3.score_and_noise import Terms
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.batches import BATCHES
from utils.checks.kits.schedules import made_up_schedule
from utils.checks.lab3.score_and_noise import PROJECTIONS, Inputs

CHALLENGE = Challenge("lab3.test", b"a key")
PUBLIC = Challenge.public("lab3.score_and_noise")


def results(challenge: Challenge, run: str) -> dict[str, torch.Tensor]:
    given, schedule = oracles.doubled(Inputs.of(challenge, run)), made_up_schedule(challenge)
    return {
        "score": oracles.score(given["noise_estimate"], given["t"], schedule),
        "noise": oracles.noise_of(given["score"], given["t"], schedule),
    }


@pytest.mark.parametrize("label", PROJECTIONS)
def test_the_numbers_of_the_public_check(label):
    values = {f"{run}_{label}": results(PUBLIC, run)[label] for run in BATCHES}
    expected = {f"{run}_{label}": number for run, number in PROJECTIONS[label].items()}
    assert oracles.projections(PUBLIC.exercise, values) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("run", BATCHES)
def test_the_results_of_the_grader(run):
    for label, expected in results(CHALLENGE, run).items():
        terms = Terms.of(CHALLENGE, run, label)
        assert torch.allclose(terms.convert(terms.levels.total), expected, atol=1e-11)
