"""Exercise 1.6: the hidden step and the public numbers, against the reverse equation."""

import pytest
import torch
from torch import Tensor

from autograder.exercises.lab1.guided_step import Terms
from tests.exercises.lab1 import oracles
from utils.checks.challenge import Challenge
from utils.checks.lab1.guided_step import PUBLIC_NUMBERS, PUBLIC_TERMS, RUNS, TERMS, Inputs, term_arguments


def stepped(inputs: Inputs) -> Tensor:
    """Return the new x, by the oracle in float64."""
    return oracles.step(**inputs.arguments() | {name: v.double() for name, v in inputs.tensors().items()})


@pytest.mark.parametrize("run", RUNS)
def test_the_hidden_step_is_the_reverse_equation(run):
    inputs = Inputs.of(Challenge("lab1.test", b"a key"), run)
    assert torch.allclose(Terms.of(inputs).step(), stepped(inputs), atol=1e-12)


def test_the_public_numbers_come_from_the_oracle():
    challenge = Challenge.public("lab1.guided_step")
    for run in RUNS:
        x = stepped(Inputs.of(challenge, run))
        directions = challenge.randn(f"{run} step probe", tuple(x.shape))
        assert PUBLIC_NUMBERS[run] == pytest.approx(float((x * directions).mean()), abs=2e-7), run


def test_the_single_terms_come_from_the_oracle():
    for name in TERMS:
        arguments = term_arguments(name)
        assert PUBLIC_TERMS[name] == pytest.approx(float(oracles.step(*arguments) - arguments[0]), rel=2e-7), name
