"""Requirements on a function that draws all its random numbers from a generator that it is given."""

from __future__ import annotations

import torch

from utils.checks.judging import Judge


def require_generator_used(judge: Judge, run: str, function: str) -> None:
    """Fail unless all random numbers of a function come from the generator that was passed in."""
    first, second = judge.tensor(f"{run}_again/letters"), judge.tensor(f"{run}_again/twice")
    judge.require(
        torch.equal(first, second),
        "generator_ignored",
        f"Two generators with the same seed gave two different samples of `{function}`. "
        "Pass `generator=generator` to every random call.",
    )
    judge.require(
        not judge.value(f"{run}_again/global_used", bool),
        "generator_ignored",
        f"`{function}` used torch's global random numbers. Pass `generator=generator` to every random call.",
    )
    judge.spend_alpha(1e-9)  # 64 samples that are alike by chance: far below
    judge.require(
        not torch.equal(first, judge.tensor(f"{run}_again/next")),
        "seeded",
        f"Two calls of `{function}` with the same generator, one after the other, gave the same sample. "
        "The caller seeds the generator: draw from it as it is, and set no seed inside.",
    )
