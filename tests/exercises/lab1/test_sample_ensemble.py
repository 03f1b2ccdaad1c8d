"""Exercise 1.1: the inputs, and the expected shares against sums over all words."""

import pytest
import torch

from autograder.exercises.lab1.sample_ensemble import MISTAKES
from tests.exercises.lab1 import oracles
from utils.checks.challenge import Challenge
from utils.checks.kits.discrete_draws import is_runs_random, pairs_agree
from utils.checks.kits.random_problems import random_problem
from utils.checks.kits.words_together import (
    CALLS,
    TOGETHER,
    agree_by_chance,
    are_separate_streams,
    are_sites_uncorrelated,
    are_uncorrelated,
    is_dealt,
    rows_agree_by_chance,
)
from utils.checks.lab1.sample_ensemble_inputs import SIZES, Inputs

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


def small_calls(draw_components=None, mirrored=False):
    """Return words of many small calls, (calls, words, sites), whose first letter tells their component."""
    inputs, source = Inputs.of(CHALLENGE, "marked"), CHALLENGE.generator("small calls")
    words = TOGETHER["octets"]
    component = torch.multinomial(inputs.shares, CALLS * words, replacement=True, generator=source).view(CALLS, words)
    if draw_components is not None:
        component = draw_components(component)
    u = torch.rand((CALLS, words, inputs.setting.sites, 1), generator=source, dtype=torch.float64)
    if mirrored:
        u[:, words // 2 :] = 1 - u[:, : words // 2]
    letters = (u >= inputs.setting.probs[component].cumsum(-1)[..., :-1]).sum(-1)
    letters[:, :, 0] = component
    return inputs, letters


def test_words_of_one_call_must_be_independent():
    inputs, letters = small_calls()
    assert not is_dealt(letters[:, :, 0], inputs.shares, 1e-8)
    probs = inputs.setting.probs
    assert agree_by_chance(letters, probs, 1e-8) and are_uncorrelated(letters, probs, 1e-8)

    _, mirrored = small_calls(mirrored=True)
    assert not are_uncorrelated(mirrored, probs, 1e-8)
    assert not agree_by_chance(letters[:, :1].expand(-1, 2, -1), probs, 1e-8)


def test_words_that_are_a_window_of_one_stream_are_correlated():
    inputs, source = Inputs.of(CHALLENGE, "marked"), CHALLENGE.generator("window")
    words, sites, probs = TOGETHER["octets"], inputs.setting.sites, inputs.setting.probs
    component = torch.multinomial(inputs.shares, CALLS * words, replacement=True, generator=source).view(CALLS, words)
    stream = torch.rand(CALLS, words + sites - 1, generator=source, dtype=torch.float64)
    letters = (stream.unfold(1, sites, 1)[..., None] >= probs[component].cumsum(-1)[..., :-1]).sum(-1)
    letters[:, :, 0] = component
    assert not are_uncorrelated(letters, probs, 1e-8)
    rows = (torch.rand(4008, generator=source) >= 0.8).long()
    assert not rows_agree_by_chance(rows.unfold(0, 9, 1), 0.68, 1e-8)
    assert rows_agree_by_chance((torch.rand(4000, 9, generator=source) >= 0.8).long(), 0.68, 1e-8)


@pytest.mark.parametrize("change", ["none", "stratified", "same stream"])
def test_sites_and_components_have_numbers_of_their_own(change):
    inputs, source, n = Inputs.of(CHALLENGE, "marked"), CHALLENGE.generator("own numbers"), 4000
    u = torch.rand(n, inputs.setting.sites, generator=source, dtype=torch.float64)
    v = u.flatten()[:n] if change == "same stream" else torch.rand(n, generator=source, dtype=torch.float64)
    if change == "stratified":
        u = (u.argsort(1) + torch.rand(u.shape, generator=source, dtype=torch.float64)) / u.shape[1]
    component = (v[:, None] >= inputs.shares.cumsum(0)[:-1]).sum(-1)
    letters = (u[..., None] >= inputs.setting.probs[component].cumsum(-1)[..., :-1]).sum(-1)
    letters[:, 0] = component
    assert are_sites_uncorrelated(letters, component, inputs.setting.probs, 1e-8) == (change != "stratified")
    separate = are_separate_streams(letters, component, inputs.setting, inputs.shares, 1e-8)
    assert separate == (change != "same stream")


def test_components_must_not_be_dealt():
    own = Inputs.of(CHALLENGE, "marked").shares.nonzero()[:, 0]
    inputs, dealt = small_calls(lambda component: own[torch.arange(component.shape[1]) % len(own)].expand_as(component))
    equal = torch.zeros_like(inputs.shares)
    equal[own] = 1 / len(own)
    assert is_dealt(dealt[:, :, 0], equal, 1e-8)


def test_sites_that_share_a_component_are_no_tied_sites():
    inputs, source = Inputs.of(CHALLENGE, "spins"), CHALLENGE.generator("mixed rows")
    component = torch.multinomial(inputs.shares, 4000, replacement=True, generator=source)
    u = torch.rand(4000, inputs.setting.sites, 1, generator=source, dtype=torch.float64)
    for last, agree in ((u[:, -1], True), (u[:, 0], False)):
        u[:, -1] = last
        rows = (u >= inputs.setting.probs[component].cumsum(-1)[..., :-1]).sum(-1)
        assert pairs_agree(rows, inputs.setting.probs, 1e-7, inputs.shares) == agree
