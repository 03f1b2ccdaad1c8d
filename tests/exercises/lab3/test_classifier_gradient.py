"""Exercise 3.4: the gradient that grades, and the numbers of the public check, against difference quotients."""

import pytest
import torch

from autograder.exercises.lab3.classifier_gradient import Gradients
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.lab3.classifier_gradient import PROJECTIONS, ROWS, VALUES, Inputs, along

CHALLENGE = Challenge("lab3.test", b"a key")
PUBLIC = Challenge.public("lab3.classifier_gradient")


def result(challenge: Challenge, name: str) -> torch.Tensor:
    inputs = Inputs.of(challenge, name)  # the labels of a run depend on its dtype
    return oracles.gradient(**{**vars(Inputs.of(challenge, name, torch.float64)), "y": inputs.y})


def test_the_numbers_of_the_public_check():
    values = {name: result(PUBLIC, name) for name in VALUES}
    assert oracles.projections(PUBLIC.exercise, values) == pytest.approx(PROJECTIONS, abs=2e-6)
    assert [pytest.approx(row, abs=2e-6) for row in along(PUBLIC, values["plain"]).tolist()] == [*map(list, ROWS)]


@pytest.mark.parametrize("name", ["plain", "one", "attached"])
def test_the_gradient_of_the_grader(name):
    terms = Gradients(Inputs.of(CHALLENGE, name, torch.float64))
    assert torch.allclose(terms.right, result(CHALLENGE, name), atol=1e-6)


def test_the_classifier_is_sure_of_what_is_asked_for():
    for challenge in (CHALLENGE, PUBLIC):
        inputs = Inputs.of(challenge, "sure")
        probs = inputs.classifier.compute(inputs.x, inputs.t).detach().softmax(1)
        assert float(probs[torch.arange(len(inputs.y)), inputs.y].min()) == 0
