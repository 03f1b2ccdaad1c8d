"""Exercise 1.3: the hidden posterior and the public numbers, against a sum over all words."""

import pytest
import torch

from autograder.exercises.kits.noised_mixture import NoisedMixture
from tests.exercises.lab1 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.noised_words import RUNS, Inputs
from utils.checks.lab1.class_posterior import PUBLIC_NUMBERS

CHALLENGE = Challenge("lab1.test", b"a key")


@pytest.mark.parametrize("run", oracles.SMALL_RUNS)
def test_the_hidden_posterior_is_a_sum_over_all_words(run):
    inputs = Inputs.of(CHALLENGE, run)
    expected = oracles.posterior(inputs.x, inputs.t, inputs.setting)
    assert torch.allclose(NoisedMixture(inputs).posterior(), expected, atol=1e-6 if run == "single" else 1e-9)


@pytest.mark.parametrize("run", ["spins", "letters", "far"])
def test_both_oracles_of_the_posterior_agree(run):
    inputs = Inputs.of(CHALLENGE, run)
    x, t, setting = inputs.x, inputs.t, inputs.setting
    assert torch.allclose(oracles.posterior_in_decimals(x, t, setting), oracles.posterior(x, t, setting), atol=1e-9)


def test_the_public_numbers_come_from_the_oracles():
    challenge = Challenge.public("lab1.class_posterior")
    for run in RUNS:
        inputs = Inputs.of(challenge, run)
        oracle = oracles.posterior_in_decimals if run == "long" else oracles.posterior
        posterior = oracle(inputs.x, inputs.t, inputs.setting)
        directions = challenge.randn(f"{run} posterior probe", tuple(posterior.shape))
        assert PUBLIC_NUMBERS[run] == pytest.approx(float((posterior * directions).mean()), abs=2e-7), run
