"""Exercise 1.4: the hidden score and the public numbers, against the derivative of a sum over all words."""

import pytest
import torch

from autograder.exercises.kits.noised_mixture import NoisedMixture
from tests.exercises.lab1 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.noised_words import RUNS, Inputs
from utils.checks.lab1.conditional_score import PUBLIC_NUMBERS, PUBLIC_PULLS, directions

CHALLENGE = Challenge("lab1.test", b"a key")


@pytest.mark.parametrize("run", oracles.SMALL_RUNS)
def test_the_hidden_score_is_a_derivative(run):
    inputs = Inputs.of(CHALLENGE, run)
    expected = oracles.score(inputs.x, inputs.t, inputs.y, inputs.setting)
    tolerance = {"single": 1e-4, "balanced": 1e-6}.get(run, 1e-8)
    assert (NoisedMixture(inputs).score() - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("run", ["spins", "letters"])
def test_the_score_of_all_classes_is_a_derivative(run):
    """The score without a class is the mean of the classes' scores under the posterior."""
    inputs = Inputs.of(CHALLENGE, run)
    mixture = NoisedMixture(inputs)
    x = inputs.x.clone().requires_grad_()
    logs = oracles.log_densities(x, inputs.t, inputs.setting) + inputs.setting.prior.log()
    (expected,) = torch.autograd.grad(logs.logsumexp(1).sum(), x)
    assert torch.allclose(mixture.score(mixture.mean_of_all()), expected, atol=1e-7)


def test_the_public_numbers_come_from_the_oracle():
    challenge = Challenge.public("lab1.conditional_score")
    assert set(PUBLIC_NUMBERS) == set(RUNS) - {"long"}  # 2^80 words
    for run, number in PUBLIC_NUMBERS.items():
        inputs = Inputs.of(challenge, run)
        score = oracles.score(inputs.x, inputs.t, inputs.y, inputs.setting)
        assert number == pytest.approx(float((score * directions(challenge, run)).mean()), abs=2e-7), run
        if run == "odds":
            assert {i: float(score.flatten()[i]) for i in PUBLIC_PULLS} == pytest.approx(PUBLIC_PULLS, rel=1e-6)
