"""The probe and the requirements of `majority_down`, the colleague's function with a bug in exercise 1.1."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.discrete_draws import pairs_agree
from utils.checks.kits.given_generator import require_generator_used
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.statistics import is_binomial
from utils.checks.kits.words_together import rows_agree_by_chance
from utils.checks.lab1.sample_ensemble_inputs import WIDE_SAMPLES, WIDE_SITES
from utils.checks.student import Student

MAJORITY_SITES, MAJORITY_SAMPLES = 10, 4000  # no square number, unlike the lab's 36
MINORITY = 0.25  # a ratio with which most spins point up
RARE = 0.9993  # a ratio with which hardly any spin points up; whole percents, and parts of 255, are far from it
GROUPS, GROUP_SIZE, EVEN = 100, 8, 0.6  # calls, lattices of each, and their ratio


def majority_ratio(challenge: Challenge) -> float:
    """Return the probability of a down spin: not the lab's own, and far from all twentieths, so that rounding shows."""
    return challenge.number("ratio", 0.82, 0.83)


def probe_majority(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Draw many lattices, one lattice, twice with the same generator, and a few in each of many calls."""
    with evidence.attempt("majority"), watching(evidence, "majority"):
        majority_down = student.function("majority_down", "n", "sites", "ratio", "generator")
        ratio, source = majority_ratio(challenge), challenge.generator("majority")
        evidence.put("majority/letters", majority_down(MAJORITY_SAMPLES, MAJORITY_SITES, ratio, source))
        evidence.put("majority/one", majority_down(1, MAJORITY_SITES, 0.7, challenge.generator("majority one")))
        for name, value in (("all", 1.0), ("none", 0.0)):
            source = challenge.generator(f"majority {name}")
            evidence.put(f"majority/{name}", majority_down(WIDE_SAMPLES, WIDE_SITES, value, source))
        source = challenge.generator("majority rare")
        evidence.put("majority/rare", majority_down(MAJORITY_SAMPLES, MAJORITY_SITES, RARE, source))
        source = challenge.generator("majority wide")
        evidence.put("majority/wide", majority_down(WIDE_SAMPLES, WIDE_SITES, MINORITY, source))
    with evidence.attempt("majority_again"):
        majority_down = student.function("majority_down", "n", "sites", "ratio", "generator")
        before = torch.random.get_rng_state()
        for name in ("letters", "twice"):
            source = challenge.generator("majority again")
            evidence.put(f"majority_again/{name}", majority_down(64, MAJORITY_SITES, 0.7, source))
        evidence.put("majority_again/next", majority_down(64, MAJORITY_SITES, 0.7, source))
        evidence.put("majority_again/global_used", not torch.equal(before, torch.random.get_rng_state()))
    with evidence.attempt("majority_groups"):
        source = challenge.generator("majority groups")
        groups = [majority_down(GROUP_SIZE, MAJORITY_SITES, EVEN, source) for _ in range(GROUPS)]
        evidence.put("majority_groups/letters", torch.stack(groups).to(torch.uint8))


def require_majority(judge: Judge) -> None:
    """Run every requirement on `majority_down`."""
    judge.attempt("majority")
    require_nothing_left(judge, ["majority"])
    judge.tensor("majority/one", (1, MAJORITY_SITES), "A sample of size 1 of majority_down")
    spins = judge.tensor("majority/letters", (MAJORITY_SAMPLES, MAJORITY_SITES), "Your sample of majority_down")
    judge.require(
        is_integer(spins),
        "not_integers",
        f"Your lattices hold {kind_of(spins)}. Return integers, such as int64.",
    )
    judge.require(
        bool(((spins == 0) | (spins == 1)).all()),
        "not_spins",
        "Your lattices hold other numbers than 0 for down and 1 for up.",
    )
    judge.require(
        bool((spins != spins[:1]).any()),
        "samples_tied",
        "All your lattices are the same. Draw each of them independently.",
    )
    ups = spins.sum(1).unique()
    judge.require(
        ups.numel() > 1 or int(ups) in (0, MAJORITY_SITES),
        "sites_tied",
        f"In every one of your lattices {int(ups[0])} of {MAJORITY_SITES} spins point up. "
        "Draw each site independently: then that number varies.",
    )
    judge.require(
        ups.numel() != 2,  # with one number all spins are alike, and the share is wrong
        "sites_tied",
        "In each of your lattices all sites agree, or the number of up spins hardly varies. "
        "Draw each site independently.",
    )
    require_majority_share(judge, spins)
    require_ends(judge)
    require_minority(judge)
    ratio = majority_ratio(judge.challenge)
    judge.require(
        rows_agree_by_chance(spins, ratio**2 + (1 - ratio) ** 2, judge.spend_alpha(3e-8)),
        "samples_tied",
        "Two of your lattices agree in more spins, or in fewer, than chance allows. Draw each of them independently.",
    )
    probs = torch.tensor([1 - ratio, ratio], dtype=torch.float64).expand(MAJORITY_SITES, 2)
    judge.require(
        pairs_agree(1 - spins.long(), probs, judge.spend_alpha(1e-7)),  # of the rarer spins: they show more
        "sites_tied",
        "In your lattices two sites agree more often, or less often, than chance allows. Draw each site independently.",
    )
    require_rare(judge)  # after the tests of independence: tied lattices have shares that vary more
    require_generator_used(judge, "majority", "majority_down")
    require_new_groups(judge)


def require_ends(judge: Judge) -> None:
    """Fail unless all spins agree where the ratio is 1 or 0, but for a float32 number of a generator that is 0."""
    judge.spend_alpha(1e-9)  # three of 18,000 numbers are 0
    up = judge.tensor("majority/all", (WIDE_SAMPLES, WIDE_SITES), "A sample of majority_down with ratio = 1")
    judge.require(up.sum() <= 2, "not_all_down", "With ratio = 1 every spin points down, but some of yours point up.")
    up = judge.tensor("majority/none", (WIDE_SAMPLES, WIDE_SITES), "A sample of majority_down with ratio = 0")
    judge.require((up == 0).sum() <= 2, "not_all_up", "With ratio = 0 no spin points down, but some of yours do.")


def require_rare(judge: Judge) -> None:
    """Fail unless the ratio is used with all its digits."""
    shape = (MAJORITY_SAMPLES, MAJORITY_SITES)
    spins = judge.tensor("majority/rare", shape, f"A sample of majority_down with ratio = {RARE}")
    judge.require(
        is_binomial(int(spins.sum()), spins.numel(), 1 - RARE, judge.spend_alpha(1e-8)),
        "ratio_rounded",
        f"With ratio = {RARE}, {1 - float(spins.double().mean()):.2%} of the spins point down. "
        "Do you use the ratio with all its digits?",
    )


def require_new_groups(judge: Judge) -> None:
    """Fail if calls for a few lattices with one generator have equal results, or equal numbers of up spins."""
    groups = judge.tensor(
        "majority_groups/letters", (GROUPS, GROUP_SIZE, MAJORITY_SITES), "Your samples of small calls"
    )
    ups = groups.long().sum((1, 2)).unique()
    judge.spend_alpha(1e-16)  # two of the calls are equal by chance
    judge.require(
        ups.numel() > 1,
        "sites_tied",
        f"In each of {GROUPS} calls for {GROUP_SIZE} lattices exactly {int(ups[0])} spins point up. "
        "Draw each site independently: then that number varies.",
    )
    judge.require(
        len(groups.flatten(1).unique(dim=0)) == GROUPS,
        "seeded",
        f"Some of {GROUPS} calls of `majority_down` with one generator gave the same lattices. "
        "Draw all random numbers from that generator.",
    )


def require_minority(judge: Judge) -> None:
    """Fail unless many sites are independent, with a ratio below one half."""
    spins = judge.tensor("majority/wide", (WIDE_SAMPLES, WIDE_SITES), "A sample of majority_down with 36 sites").long()
    down = 1 - float(spins.double().mean())
    judge.spend_alpha(1e-30)  # 0.1 is more than 30 standard deviations
    judge.require(
        abs(down - MINORITY) < 0.1,
        "minority_share",
        f"With ratio = {MINORITY:g}, {down:.0%} of the spins point down. "
        "The ratio is the probability of a down spin, below one half, too.",
    )
    probs = torch.tensor([MINORITY, 1 - MINORITY], dtype=torch.float64).expand(WIDE_SITES, 2)
    judge.require(
        pairs_agree(spins, probs, judge.spend_alpha(2e-8)),
        "sites_tied",
        "In your lattices of 36 sites two of them agree more often, or less often, than chance allows. "
        "Draw each site independently.",
    )


def require_majority_share(judge: Judge, spins: Tensor) -> None:
    """Fail unless the share of down spins is the ratio that was asked for."""
    ratio, ups, total = majority_ratio(judge.challenge), int(spins.sum()), spins.numel()
    if is_binomial(ups, total, 1 - ratio, judge.spend_alpha(1e-7)):
        return
    if is_binomial(ups, total, ratio, 1e-7):
        judge.fail(
            "majority_up",
            f"{ups / total:.0%} of the spins point up, but the majority should point down. "
            "Print the mean of what `majority_down` returns before you trust its name.",
        )
    judge.fail(
        "majority_share",
        f"{1 - ups / total:.0%} of the spins point down, but the ratio was {ratio:.0%}. "
        "Use the argument `ratio`, which is the probability of a down spin.",
    )


def is_integer(tensor: Tensor) -> bool:
    """Return whether a tensor holds integers of any length. Booleans are none: as an index they are a mask."""
    return not tensor.is_floating_point() and tensor.dtype != torch.bool


def kind_of(tensor: Tensor) -> str:
    """Return what a tensor without integers holds."""
    return "booleans" if tensor.dtype == torch.bool else "floating-point numbers"
