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
        level = judge.spend_alpha(LEVEL) / 2
        judge.require(
            agree_by_chance(letters, setting.probs, level) and are_uncorrelated(letters, setting.probs, level),
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


def agree_by_chance(letters: Tensor, probs: Tensor, level: float) -> bool:
    """Return whether the letters of any two words of a call agree as often as those of independent words.

    Given the components, sites agree independently, so Bernstein's inequality bounds the number of agreements.

    Args:
        letters: The words of all calls, (calls, words, sites). The first letter tells the component.
        probs: Each letter's probability, (components, sites, letters).
        level: The chance of False for independent words.
    """
    words = letters.shape[1]
    first, second = torch.triu_indices(words, words, offset=1)
    own = probs.double()[letters[..., 0], 1:]  # (calls, words, sites - 1, letters)
    chance = (own[:, first] * own[:, second]).sum(-1)  # (calls, pairs, sites - 1)
    agree = (letters[:, first, 1:] == letters[:, second, 1:]).double()
    variances = (chance * (1 - chance)).sum((0, 2))
    return are_near_zero((agree - chance).sum((0, 2)), variances, 1.0, level / len(first))


def are_uncorrelated(letters: Tensor, probs: Tensor, level: float) -> bool:
    """Return whether the places of two words' letters in their distributions are uncorrelated.

    The products of the places at site s of one word and site s + shift of the other are added up over all sites, for
    every shift. Given the components they are independent, so Bernstein's inequality bounds their sum.

    Args and Returns as in `agree_by_chance`.
    """
    words, sites = letters.shape[1:]
    first, second = torch.triu_indices(words, words, offset=1)
    places, spread = places_of(letters, letters[..., 0], probs)
    products, variances = (torch.einsum("nis,njr->ijsr", each, each)[first, second] for each in (places, spread))
    shifts = range(2 - sites, sites - 1)  # the first site tells the component and nothing else
    return all(
        are_near_zero(
            products.diagonal(shift, 1, 2).sum(-1),
            variances.diagonal(shift, 1, 2).sum(-1),
            0.25,
            level / len(first) / len(shifts),
        )
        for shift in shifts
    )


def are_sites_uncorrelated(letters: Tensor, component: Tensor, probs: Tensor, level: float) -> bool:
    """Return whether the places of a word's letters are uncorrelated, over all pairs of its sites together.

    Args:
        letters: Words, (words, sites).
        component: The component of each word, (words,).
        probs: Each letter's probability, (components, sites, letters).
        level: The chance of False for independent sites.
    """
    places, spread = places_of(letters, component, probs)
    sites = letters.shape[1]
    products = places.sum(1).square() - places.square().sum(1)  # of any two sites, twice
    variance = 2 * (spread.sum(1).square() - spread.square().sum(1)).sum()
    return are_near_zero(products.sum(), variance, sites * (sites - 1) / 4, level)


def are_separate_streams(letters: Tensor, component: Tensor, setting: ToyProblem, shares: Tensor, level: float) -> bool:
    """Return whether components are uncorrelated with as many letters, in the order in which a generator makes both.

    Args:
        letters: Words, (words, sites).
        component: The component of each word, (words,).
        setting: The toy problem.
        shares: The share of each component in the class, (components,).
        level: The chance of False for components and letters with random numbers of their own.
    """
    places, spread = (each.flatten()[: len(letters)] for each in places_of(letters, component, setting.probs))
    own = (shares.double().cumsum(0) - shares.double() / 2 - 0.5)[component]
    return are_near_zero((own * places).sum(), (own.square() * spread).sum(), 0.25, level)


def places_of(letters: Tensor, component: Tensor, probs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the place of each letter in the distribution of its site, in [-1/2, 1/2] with mean 0, and its variance.

    Args:
        letters: Words, (…, sites).
        component: The component of each word, (…).
        probs: Each letter's probability, (components, sites, letters).

    Returns:
        Places and variances, (…, sites).
    """
    probs = probs.double()
    places = probs.cumsum(-1) - probs / 2 - 0.5
    spread = (probs * places.square()).sum(-1)
    return places[component].gather(-1, letters[..., None])[..., 0], spread[component]


def are_near_zero(sums: Tensor, variances: Tensor, largest: float, level: float) -> bool:
    """Return whether sums of independent terms with mean 0 are as small as Bernstein's inequality says.

    Args:
        sums: The sums, any shape.
        variances: The variance of each sum, or more.
        largest: What no term exceeds in size.
        level: The chance of False for each sum.
    """
    most = (variances + largest * sums.abs() / 3).clamp(min=1e-300)
    return bool((2 * torch.exp(-sums.square() / 2 / most) >= level).all())


def rows_agree_by_chance(rows: Tensor, agreement: float, level: float) -> bool:
    """Return whether rows agree as often as independent ones do: neighbours, and those of the two halves.

    Neighbours are also compared with a shift by one letter.

    Args:
        rows: Letters, (samples, sites), with independent sites that are all alike.
        agreement: The probability that two letters agree.
        level: The chance of False for independent rows.
    """
    half = len(rows) // 2
    first, second = rows[:half], rows[half : 2 * half]
    even, odd = rows[: 2 * half : 2], rows[1 : 2 * half : 2]
    pairs = [
        (even, odd), (even[:, 1:], odd[:, :-1]), (even[:, :-1], odd[:, 1:]), (first, second), (first, second.flip(0))
    ]  # fmt: skip
    return all(
        is_binomial(int((one == other).sum()), one.numel(), agreement, level / len(pairs)) for one, other in pairs
    )
