"""What a training loss draws at random in several calls: times and noise that are new, normal and independent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.kits.correlation import first_dependent, noise_with_itself, noise_with_others, within
from utils.checks.kits.draws import require_continuous

INDEPENDENCE = 1e-7  # the chance of each test below to reject right draws; `require_independence` has three
SHARED = 8  # float32 has so many values that two honest batches share more than 8 with a chance below 1e-20


@dataclass(frozen=True)
class Call:
    """One call as the evidence shows it, in float64, in the order in which the model saw the samples."""

    name: str
    x0: Tensor  # (b, *shape)
    y: Tensor  # (b,) labels
    x: Tensor  # (b, *shape) what the model saw, recomputed from t and noise
    t: Tensor  # (b,) times
    noise: Tensor  # (b, *shape)


def require_new_numbers(judge: Judge, calls: list[Call]) -> None:
    """Fail if numbers of one call come again in another, whatever their places."""
    require_continuous(judge, calls[0].noise)  # a few values come again by chance
    for place, call in enumerate(calls):
        for earlier in calls[:place]:
            judge.require(
                not call.t.is_floating_point() or are_new(call.t, earlier.t),
                "times_kept",
                "Times of one call come again in a later one. Draw new ones in each call: keep none, "
                "and start no generator again.",
            )
            judge.require(
                are_new(call.noise, earlier.noise),
                "seeded",
                "Numbers of the noise of one call come again in a later one. Draw new ones in each call: keep none, "
                "and start no generator again.",
            )


def are_new(numbers: Tensor, earlier: Tensor) -> bool:
    """Return whether hardly any number occurs among earlier ones. One that occurs several times counts once."""
    numbers = numbers.unique()
    return int(torch.isin(numbers, earlier.flatten()).sum()) <= min(SHARED, numbers.numel() - 1)


def require_tails(judge: Judge, noise: Tensor) -> None:
    """Fail if no number of the noise is as large as so many normal ones are."""
    from scipy import special

    largest = float(noise.abs().max())
    inside = (1 - 2 * special.ndtr(-largest)) ** noise.numel()
    judge.require(
        inside >= judge.spend_alpha(INDEPENDENCE),
        "noise_limited",
        f"Of your {noise.numel():,} numbers of noise none is beyond {largest:.2f}, but normal numbers go further. "
        "Do not limit the noise.",
    )


def require_independence(judge: Judge, one: Call, other: Call) -> None:
    """Fail unless times and noise of two large calls are independent of each other, of the data, and among themselves.

    Args:
        judge: The judge of the exercise.
        one: A call.
        other: The next call, of the same size.
    """
    times = [pair for call in (one, other) for pair in within(call.t)] + [(one.t, other.t)]
    judge.require(
        first_dependent(times, judge.spend_alpha(INDEPENDENCE)) is None,
        "times_depend",
        "Your times depend on each other: from one you can tell something about another. "
        "Draw each independently, one random number for each sample.",
    )
    noises = noise_with_itself(one.noise) + [
        pair for a, b in zip(one.noise.flatten(1).T, other.noise.flatten(1).T) for pair in ((a, b), (a.abs(), b.abs()))
    ]
    judge.require(
        first_dependent(noises, judge.spend_alpha(INDEPENDENCE)) is None,
        "noise_depends",
        "Numbers of your noise depend on each other: from one you can tell something about another. "
        "Draw each independently.",
    )
    labels, data = one.y.double(), one.x0.flatten(1)[:, 0]
    mixed = noise_with_others(one.noise, one.t, labels, data, other.t)
    mixed += [(one.t, labels), (one.t, data), (one.t, other.noise.flatten()[: len(one.t)])]
    judge.require(
        first_dependent(mixed, judge.spend_alpha(INDEPENDENCE)) is None,
        "draws_depend",
        "Your times, your noise and the data depend on each other. "
        "Draw the times and the noise independently of each other and of the samples and labels.",
    )
