"""Verdicts on the noise that a training loss draws, and on what depends on the time, from the calls of one exercise.

All calls must be calls of one trainer. Two trainers may draw the same numbers, each from a generator of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.kits.independence import are_columns_dependent, are_dependent
from utils.checks.kits.statistics import is_normal

MARGINAL_LEVEL = 1e-7  # chance that a test of one distribution rejects right draws
TIED_LEVEL = 1e-8  # chance that one test of independence rejects right draws; there are up to six
# Gaps between sorted uniform times have a standard deviation as large as their mean. A tenth of it does not come by
# chance (below 1e-20 for 30 times), and on a grid float32 leaves a hundredth at most.
GRID_SPREAD = 0.1
MIRROR_DISTANCE = 1e-7  # two numbers that are nearer count as the same
PLACE_LEVEL = 2e-9  # chance that right noise looks too small or too large at one place of the batch
SHARING_COUNTS = 4  # noise that is used in several places has values that occur equally often, or a few times more
FEW_VALUES = 20  # a call's noise with fewer different numbers is drawn from a list, or shared
EXACT = 1e-4  # in standard errors: no mean of independent draws is so exact in two calls (a chance of 7e-9)
EXACT_LEVEL = 2e-8  # of the three tests that use it
MIRRORED_SHARE = 0.1  # numbers with a partner of the same size; of float32 draws, below one in a thousand have one


def judge_noise(judge: Judge, noise: Tensor) -> None:
    """Fail unless noise is standard normal and nothing of it is used twice.

    Args:
        judge: The judge of the exercise.
        noise: The noise, (calls, batch, …).
    """
    require_continuous(judge, noise[0])
    judge.require(
        not bool((noise[0] == noise[0, :1]).all()),
        "noise_shared",
        "All samples of a batch share the same noise. Each needs its own.",
    )
    judge.require(
        not repeats_a_call(noise),
        "seeded",
        "Two calls used the same noise. Draw new noise in every call: neither fix a seed nor restore the state of a "
        "generator in the loss.",
    )
    if noise.unique().numel() <= 0.99 * noise.numel():
        judge.require(
            sum(call.unique().numel() for call in noise) <= 0.99 * noise.numel(),
            "seeded",
            "Numbers of the noise of one call come again in another. Draw new ones in each call: keep none, and start "
            "no generator again.",
        )
        judge.fail(
            "noise_shared",
            "The same random numbers appear in several places of your noise. Each number of each sample needs its own.",
        )
    require_separate_rows(judge, noise)
    pairs = (
        "Within a sample, numbers of the noise are minus others. All of them are independent: draw each of them."
        if has_partners_in_rows(noise.abs().flatten(2).flatten(0, 1))
        else "The noise of one sample is minus that of another. The noise of two samples is independent: "
        "draw all of it."
    )
    judge.require(not has_partners(noise.abs()), "noise_mirrored", pairs)
    require_inexact(judge, noise)
    if is_normal(noise, judge.spend_alpha(MARGINAL_LEVEL)):
        require_alike_noise(judge, noise)
        return
    mean, deviation = float(noise.mean()), float(noise.std())
    error = noise.numel() ** -0.5  # of the mean, in standard deviations; that of the standard deviation is smaller
    actual = f"its mean is {mean:.3f} and its standard deviation {deviation:.3f} (0 and 1 expected)"
    if abs(mean) > 4 * error * deviation:
        hint = " `randn` and `rand` differ by one letter." if noise.min() >= 0 else ""
        judge.fail("noise_mean", f"The noise is not centred: {actual}.{hint}")
    if abs(deviation - 1) > 4 * error:
        judge.fail("noise_size", f"The noise has the wrong size: {actual}. Add it as it is: the noising scales it.")
    judge.fail(
        "noise_law", f"The noise is not normal. Its mean and size are right, but not its distribution: {actual}."
    )


def require_continuous(judge: Judge, noise: Tensor) -> None:
    """Fail if noise has been limited, or rounded to a few values, but not if samples share all their numbers.

    Args:
        judge: The judge of the exercise.
        noise: The noise of a call or of several, (batch, …).
    """
    values, counts = noise.unique(return_counts=True)
    if len(values) > 0.999 * noise.numel():
        return
    ordered = noise.flatten(1).sort(1).values
    if bool((ordered == ordered[:1]).all()):
        return
    end = 0 if counts[0] >= counts[-1] else -1
    judge.require(
        len(values) < FEW_VALUES or counts[end] <= 2 * counts.median() + 1,
        "noise_limited",
        f"Of the {noise.numel():,} numbers of your noise {int(counts[end])} are {values[end]:.4g}, and none is further "
        "from 0 on that side. Normal numbers do not pile up at an end. Do not limit the noise.",
    )
    rounded = len(values) < 0.9 * noise.numel() and counts.unique().numel() > SHARING_COUNTS
    judge.require(
        not rounded and (len(values) >= FEW_VALUES or noise.numel() < 5 * FEW_VALUES),
        "noise_discrete",
        f"Of the {noise.numel():,} numbers of your noise only {len(values):,} are different. "
        "Standard normal noise takes all values: draw it with `torch.randn`.",
    )


def require_separate_rows(judge: Judge, noise: Tensor) -> None:
    """Fail if two samples, of one call or of two, have the same noise.

    Args:
        judge: The judge of the exercise.
        noise: The noise, (calls, batch, …). A single number may come again by chance.
    """
    samples = noise.double().flatten(2).flatten(0, 1)
    size = samples.shape[1]
    keys, order = (samples * torch.arange(1, size + 1).double().sqrt()).sum(1).sort()
    twins = (keys.diff() == 0).nonzero().flatten()
    judge.require(
        size < 2 or not bool((samples[order[twins]] == samples[order[twins + 1]]).all(1).any()),
        "noise_shared",
        "Two samples have the same noise. Each draws its own.",
    )


def require_alike_noise(judge: Judge, noise: Tensor) -> None:
    """Fail if the noise at one place of the batch is too small or too large.

    Args:
        judge: The judge of the exercise.
        noise: Standard normal noise, (calls, batch, …).
    """
    from scipy import special

    squares = noise.double().flatten(2).square().sum((0, 2))
    freedom, level = noise.shape[0] * noise[0, 0].numel(), judge.spend_alpha(PLACE_LEVEL) / len(squares) / 2
    least, largest = float(squares.min()), float(squares.max())
    judge.require(
        special.chdtr(freedom, least) >= level and special.chdtrc(freedom, largest) >= level,
        "noise_place",
        "At one place of the batch the noise is much smaller or larger than at the others. "
        "Draw the noise of all samples alike.",
    )


def require_inexact(judge: Judge, noise: Tensor) -> None:
    """Fail if the noise was centred or rescaled after it was drawn: its mean or deviation is then too exact.

    Args:
        judge: The judge of the exercise.
        noise: The noise, (calls, batch, …), at least two calls.
    """
    judge.spend_alpha(EXACT_LEVEL)
    rows = noise.double().flatten(2)
    for where, groups in (("of a batch", rows.flatten(1)), ("of a sample", rows), ("of a coordinate", rows.mT)):
        count = groups.shape[-1]
        if count < 2:
            continue
        deviations = [groups.std(-1, correction=k) for k in (0, 1)]
        errors = [groups.mean(-1) * count**0.5, *((value - 1) * (2 * count) ** 0.5 for value in deviations)]
        judge.require(
            all(bool(error.abs().max() > EXACT) for error in errors),
            "noise_standardised",
            f"The mean or the standard deviation {where}'s noise is exactly 0 or 1, which does not come by chance. "
            "You centre or rescale the noise, so its numbers depend on each other. Use it as it is drawn.",
        )


def judge_independence(judge: Judge, t: Tensor, noise: Tensor) -> None:
    """Fail if times and noise depend on each other: in a sample, between samples, or between successive calls.

    Their distributions must have been tested before.

    Args:
        judge: The judge of the exercise.
        t: Times that are uniform on [0, 1], (calls, batch). For integer steps pass (t + 1/2) / T.
        noise: Standard normal noise, (calls, batch, …).
    """
    u = torch.special.ndtr(noise.double()).flatten(2)  # (calls, batch, d), uniform
    times = t.double()[..., None]  # (calls, batch, 1)
    judge.require(
        not is_tied_to_time(judge, times, noise.double().flatten(2)),
        "noise_tied_to_time",
        "Noise and time are not independent. Draw each of them, and do not compute one from the other "
        "or start both from the same seed.",
    )
    judge.require(
        not are_columns_dependent(u.flatten(0, 1), judge.spend_alpha(TIED_LEVEL)),
        "noise_shared",
        "The noise of one coordinate depends on that of another. Each coordinate needs its own.",
    )
    both = torch.cat([times, u], dim=2)
    pairs = both.shape[1] // 2 * 2
    judge.require(
        not are_dependent(
            both[:, 0:pairs:2].flatten(0, 1), both[:, 1:pairs:2].flatten(0, 1), judge.spend_alpha(TIED_LEVEL)
        ),
        "samples_tied",
        "The time or the noise of one sample depends on that of its neighbour in the batch. "
        "Draw them independently, and do not sort them.",
    )
    calls = both.shape[0] // 2 * 2
    judge.require(
        not are_dependent(both[0:calls:2].flatten(0, 1), both[1:calls:2].flatten(0, 1), judge.spend_alpha(TIED_LEVEL)),
        "batches_tied",
        "The times or the noise of one call depend on those of the call before. Draw new numbers in every call.",
    )


def judge_time_independence(judge: Judge, t: Tensor) -> None:
    """Fail if times depend on each other: neighbours, the two halves of a batch, or successive calls.

    Args:
        judge: The judge of the exercise.
        t: Times that are uniform on [0, 1], (calls, batch), at least two calls. Their distribution must have been
            tested before.
    """
    even, half, calls = t.shape[1] // 2 * 2, t.shape[1] // 2, t.shape[0] // 2 * 2
    pairs = (
        (t[:, 0:even:2], t[:, 1:even:2]),
        (t[:, :half], t[:, half : 2 * half]),
        (t[0:calls:2], t[1:calls:2]),
    )
    tied = [
        are_dependent(one.reshape(-1, 1), other.reshape(-1, 1), judge.spend_alpha(TIED_LEVEL)) for one, other in pairs
    ]
    judge.require(
        not any(tied),
        "times_depend",
        "Your times depend on each other: from one you can tell something about another, of the same call or of the "
        "next. Draw each independently, one random number for each sample.",
    )


def is_tied_to_time(judge: Judge, times: Tensor, noise: Tensor) -> bool:
    """Return whether times, (calls, batch, 1), depend on noise, (calls, batch, d), or come from the same stream."""
    d = noise.shape[2]
    total = torch.special.ndtr(noise.sum(2, keepdim=True) / d**0.5)
    size = torch.special.gammainc(torch.tensor(d / 2).double(), noise.square().sum(2, keepdim=True) / 2)
    columns = torch.cat([torch.special.ndtr(noise), total, size], dim=2).flatten(0, 1)
    if are_dependent(times.flatten(0, 1), columns, judge.spend_alpha(TIED_LEVEL)):
        return True
    # The first numbers of both in the order in which a generator makes them.
    stream = torch.special.ndtr(noise.flatten(1)[:, : times.shape[1]])
    return are_dependent(times.reshape(-1, 1), stream.reshape(-1, 1), judge.spend_alpha(TIED_LEVEL))


def is_irregular(t: Tensor) -> bool:
    """Return whether sorted times, (calls, batch), have unequal gaps. A batch of any size may be passed."""
    gaps = t.double().sort(dim=1).values.diff(dim=1)
    return bool(gaps.std() > GRID_SPREAD * gaps.mean())


def repeats_a_call(draws: Tensor) -> bool:
    """Return whether two calls drew the same numbers.

    Args:
        draws: The numbers of all calls, (calls, …).
    """
    return torch.unique(draws.flatten(1), dim=0).shape[0] < len(draws)


def has_partners_in_rows(sizes: Tensor) -> bool:
    """Return whether many numbers have a partner of the same size in their own row.

    Args:
        sizes: (rows, numbers).
    """
    gaps = sizes.double().sort(dim=1).values.diff(dim=1)
    return gaps.numel() > 0 and bool((gaps < MIRROR_DISTANCE).double().mean() > MIRRORED_SHARE)


def has_partners(sizes: Tensor) -> bool:
    """Return whether many numbers have a partner of the same size, as in antithetic draws.

    Args:
        sizes: Any shape.
    """
    gaps = sizes.double().flatten().sort().values.diff()
    return bool((gaps < MIRROR_DISTANCE).double().mean() > MIRRORED_SHARE)
