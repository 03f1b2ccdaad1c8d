"""Are the words that one call draws independent of each other? Many small calls tell, where a large one cannot."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.statistics import is_binomial
from utils.toy_problems import ToyProblem

CALLS = 300
TOGETHER = {"trios": 3, "octets": 8}  # run: words of one call. Three are fewer than a class has components, or as many
LEVEL = 2e-8  # chance that one of the tests below rejects independent words; each run has three


def probe_together(evidence: Evidence, challenge: Challenge, draw: Callable[[int, torch.Generator], object]) -> None:
    """Draw a few words in each of many calls, all from one generator.

    Args:
        evidence: Receives `trios/letters` and `octets/letters`, (CALLS, words, sites).
        challenge: Fixes the generator.
        draw: Calls the student's function with the number of words and the generator.
    """
    for run, words in TOGETHER.items():
        source = challenge.generator(run)
        with evidence.attempt(run):
            drawn = [torch.as_tensor(draw(words, source)) for _ in range(CALLS)]
            evidence.put(f"{run}/letters", torch.stack(drawn).to(torch.uint8))


def require_independent_words(judge: Judge, setting: ToyProblem, shares: Tensor) -> None:
    """Fail if words of one call depend on each other. The first letter of a word tells its component.

    Args:
        judge: The judge of the exercise.
        setting: The toy problem.
        shares: The share of each component in the class, (components,).
    """
    for run, words in TOGETHER.items():
        letters = judge.tensor(f"{run}/letters", (CALLS, words, setting.sites), "Your samples of small calls").long()
        component = letters[:, :, 0]
        judge.require(
            bool((letters < setting.letters).all()) and bool((shares[component.clamp(max=len(shares) - 1)] > 0).all()),
            "depends_on_n",
            f"A call for {words} samples returned words that the class does not make. A call for many did not.",
        )
        judge.require(
            not is_dealt(component, shares, judge.spend_alpha(LEVEL)),
            "components_dealt",
            f"In calls for {words} samples the components come in more even numbers than chance allows, as if each had "
            "its number of samples. Draw the component of each sample for itself, with replacement.",
        )
        pairs = list(itertools.combinations(range(words), 2))
        level = judge.spend_alpha(LEVEL) / len(pairs)
        judge.require(
            all(
                is_binomial(int((component[:, i] == component[:, j]).sum()), CALLS, float((shares**2).sum()), level)
                for i, j in pairs
            ),
            "components_tied",
            f"In calls for {words} samples two of them share their component more often, or less often, than chance "
            "allows. Draw the component of each sample independently, with replacement.",
        )
        level = judge.spend_alpha(LEVEL) / len(pairs) / 2
        judge.require(
            all(
                agree_by_chance(letters[:, i], letters[:, j], setting.probs, level)
                and are_uncorrelated(letters[:, i], letters[:, j], setting.probs, level)
                for i, j in pairs
            ),
            "samples_tied",
            f"In calls for {words} samples the letters of one tell something about those of another. "
            "Draw the letters of each sample independently.",
        )


def is_dealt(component: Tensor, shares: Tensor, level: float) -> bool:
    """Return whether components come in too even numbers.

    The statistic is that of a chi-squared test in each call. Its sum over many calls is nearly normal, and its lower
    tail is lighter than a normal one.

    Args:
        component: The component of each word, (calls, words).
        shares: The share of each component, (components,). Those without a share are left out.
        level: The chance of True for independent words.
    """
    from scipy import special

    calls, words = component.shape
    shares = shares.double()
    own = shares > 0
    counts = torch.stack([(component == c).sum(1) for c in range(len(shares))], dim=1)[:, own].double()
    p = shares[own]
    chi = ((counts - words * p).square() / (words * p)).sum()
    many = len(p)
    # the exact mean and variance of Pearson's statistic for a multinomial distribution
    variance = 2 * (many - 1) * (words - 1) / words + (float((1 / p).sum()) - many**2) / words
    return bool(special.ndtr((float(chi) - calls * (many - 1)) / math.sqrt(calls * variance)) < level)


def agree_by_chance(one: Tensor, other: Tensor, probs: Tensor, level: float) -> bool:
    """Return whether the letters of two words agree as often as those of independent words of their components.

    Given the components, sites agree independently, so Bernstein's inequality bounds the number of agreements.

    Args:
        one: Words, (calls, sites). The first letter tells the component.
        other: Words of the same calls, (calls, sites).
        probs: Each letter's probability, (components, sites, letters).
        level: The chance of False for independent words.
    """
    chance = (probs[one[:, 0], 1:] * probs[other[:, 0], 1:]).sum(-1).double()  # (calls, sites - 1)
    return is_near_zero((one == other)[:, 1:].double() - chance, float((chance * (1 - chance)).sum()), 1.0, level)


def are_uncorrelated(one: Tensor, other: Tensor, probs: Tensor, level: float) -> bool:
    """Return whether the places of two words' letters in their distributions are uncorrelated.

    Args and Returns as in `agree_by_chance`.
    """
    probs = probs.double()
    places = probs.cumsum(-1) - probs / 2 - 0.5  # of each letter in the distribution of its site: the mean is 0
    spread = (probs * places.square()).sum(-1)  # (components, sites)
    first, second = (
        places[word[:, 0], 1:].gather(-1, word[:, 1:, None])[..., 0] for word in (one, other)
    )  # (calls, sites - 1)
    variance = float((spread[one[:, 0], 1:] * spread[other[:, 0], 1:]).sum())
    return is_near_zero(first * second, variance, 0.25, level)


def is_near_zero(terms: Tensor, variance: float, largest: float, level: float) -> bool:
    """Return whether a sum of independent terms with mean 0 is as small as Bernstein's inequality says.

    Args:
        terms: The terms, any shape.
        variance: The sum of their variances, or more.
        largest: What no term exceeds in size.
        level: The chance of False.
    """
    excess = abs(float(terms.sum()))
    return excess == 0 or 2 * math.exp(-(excess**2) / 2 / (variance + largest * excess / 3)) >= level


def rows_agree_by_chance(rows: Tensor, agreement: float, level: float) -> bool:
    """Return whether rows agree as often as independent ones do: neighbours, and those of the two halves.

    Args:
        rows: Letters, (samples, sites), with independent sites that are all alike.
        agreement: The probability that two letters agree.
        level: The chance of False for independent rows.
    """
    half = len(rows) // 2
    first, second = rows[:half], rows[half : 2 * half]
    pairs = [(rows[: 2 * half : 2], rows[1 : 2 * half : 2]), (first, second), (first, second.flip(0))]
    return all(
        is_binomial(int((one == other).sum()), one.numel(), agreement, level / len(pairs)) for one, other in pairs
    )
