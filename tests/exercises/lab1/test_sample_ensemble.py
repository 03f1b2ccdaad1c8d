"""Exercise 1.1: the inputs, and the expected shares against sums over all words."""

import pytest
import torch

from autograder.exercises.lab1.sample_ensemble import MISTAKES
from tests.exercises.lab1 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.discrete_draws import is_runs_random, pairs_agree
from utils.checks.kits.random_problems import random_problem
from utils.checks.lab1.sample_ensemble import SIZES, Inputs

CHALLENGE = Challenge("lab1.test", b"a key")


@pytest.mark.parametrize("run", SIZES)
def test_the_expected_shares_are_sums_over_all_words(run):
    inputs = Inputs.of(CHALLENGE, run)
    words, probs = oracles.all_words(inputs.setting), oracles.word_probs(inputs.setting)[inputs.label]
    shares = torch.stack([(probs[:, None] * (words == k)).sum(0) for k in range(inputs.setting.letters)], dim=-1)
    assert torch.allclose(inputs.site_probs(inputs.shares), shares, atol=1e-12)


@pytest.mark.parametrize("run", SIZES)
def test_every_mistake_gives_a_distribution(run):
    inputs = Inputs.of(CHALLENGE, run)
    right = inputs.site_probs(inputs.shares)
    for mistake in MISTAKES:
        for probs in mistake.formula(inputs):
            assert probs.shape == right.shape and torch.allclose(probs.sum(-1), torch.ones(len(probs)).double())
            assert not torch.allclose(probs, right)


def test_independent_draws_pass_and_dependent_ones_fail():
    probs = random_problem(CHALLENGE, "pairs", 6, 3).probs[2]
    rows = torch.multinomial(probs, 2000, replacement=True, generator=CHALLENGE.generator("rows")).T
    assert pairs_agree(rows, probs, 1e-7)
    assert not pairs_agree(rows[:, :1].expand(-1, 6), probs[:1].expand(6, 3), 1e-7)
    component = torch.randint(4, (2000,), generator=CHALLENGE.generator("component"))
    assert is_runs_random(component, 1e-7)
    assert not is_runs_random(component.sort().values, 1e-7)
