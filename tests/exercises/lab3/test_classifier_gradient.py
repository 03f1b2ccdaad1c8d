"""Exercise 3.4: the gradient that grades, and the numbers of the public check, against difference quotients."""

import pytest
import torch

from autograder.exercises.lab3.classifier_gradient import Gradients
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.lab3.classifier_gradient import PROJECTIONS, RUNS, Inputs

CHALLENGE = Challenge("lab3.test", b"a key")
PUBLIC = Challenge.public("lab3.classifier_gradient")


def result(challenge: Challenge, name: str) -> torch.Tensor:
    return oracles.gradient(**vars(Inputs.of(challenge, name, torch.float64)))


def test_the_numbers_of_the_public_check():
    values = {name: result(PUBLIC, name) for name in RUNS}
    assert oracles.projections(PUBLIC.exercise, values) == pytest.approx(PROJECTIONS, abs=2e-6)


@pytest.mark.parametrize("name", ["plain", "one"])
def test_the_gradient_of_the_grader(name):
    terms = Gradients(Inputs.of(CHALLENGE, name, torch.float64))
    assert torch.allclose(terms.right, result(CHALLENGE, name), atol=1e-6)
