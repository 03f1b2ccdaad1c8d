"""Exercise 1.3: the hidden posterior and the public numbers, against a sum over all words."""

import pytest
import torch

from autograder.exercises.kits.noised_mixture import NoisedMixture
from tests.exercises.lab1 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.noised_words import RUNS, Inputs
from utils.checks.kits.projections import project
from utils.checks.lab1.class_posterior import (
    EARLY_RATIO,
    EARLY_RTOL,
    GRADIENT,
    PUBLIC_GRADIENT,
    PUBLIC_NUMBERS,
    SLOPES,
    slopes,
)

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
        assert PUBLIC_NUMBERS[run] == pytest.approx(project(challenge, run, posterior), abs=2e-7), run
        if run == "odds":
            assert slopes(posterior, inputs) == pytest.approx(SLOPES, rel=1e-6)


def gradient_of_log_posterior(inputs: Inputs):
    x = inputs.x.clone().requires_grad_()
    logs = oracles.log_densities(x, inputs.t, inputs.setting) + inputs.setting.prior.log()
    return torch.autograd.grad(logs.log_softmax(1)[torch.arange(len(x)), inputs.y].sum(), x)[0]


def test_the_gradient_comes_from_the_oracle():
    challenge = Challenge.public("lab1.class_posterior")
    gradient = gradient_of_log_posterior(Inputs.of(challenge, GRADIENT))
    assert pytest.approx(project(challenge, "gradient", gradient), abs=2e-7) == PUBLIC_GRADIENT


def test_the_hidden_gradient_is_a_derivative():
    inputs = Inputs.of(CHALLENGE, GRADIENT)
    mixture = NoisedMixture(inputs)
    difference = mixture.score() - mixture.score(mixture.mean_of_all())
    assert torch.allclose(difference, gradient_of_log_posterior(inputs), atol=1e-7)


def test_the_growth_of_the_early_odds_comes_from_the_oracle():
    t = [0.001, 0.002]
    first, second = (2 * mean / variance for mean, variance in (oracles.mean_and_variance(s) for s in t))
    assert first / second == pytest.approx(EARLY_RATIO, rel=EARLY_RTOL / 2)


def test_far_samples_are_balanced():
    inputs = Inputs.of(CHALLENGE, "balanced")
    odds = oracles.log_densities(inputs.x, inputs.t, inputs.setting)
    assert inputs.x.abs().max() == 100 and (odds[:, 0] - odds[:, -1]).abs().max() < 3
