"""The wrapped normal distribution on the ring [0, 1), and the usual ways to get its score wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from utils.checks.kits.ring import on_ring

ALL_COPIES = torch.arange(-9, 10, dtype=torch.float64)  # more periodic copies than any exercise needs
THREE_COPIES = torch.arange(-1, 2, dtype=torch.float64)
ONE_COPY = torch.zeros(1, dtype=torch.float64)

Pull = Callable[[Tensor, Tensor], Tensor]  # from an offset and a variance to the derivative of the log density


def log_density_and_pull(u: Tensor, variance: Tensor, copies: Tensor = ALL_COPIES) -> tuple[Tensor, Tensor]:
    """Return the logarithm of the wrapped normal density at u, up to a constant, and its derivative.

    Args:
        u: Offsets from the centre, any shape.
        variance: Variance of the normal distribution, the shape of u.
        copies: The periodic copies that are summed.

    Returns:
        Two tensors of the shape of u.
    """
    places = u[..., None] + copies
    exponents = -(places**2) / (2 * variance[..., None])
    shares = exponents.softmax(-1)
    return exponents.logsumexp(-1), -(shares * places).sum(-1) / variance


def pull(u: Tensor, variance: Tensor) -> Tensor:
    """Return the derivative of the log of the wrapped normal density; shapes as in `log_density_and_pull`."""
    return log_density_and_pull(u, variance)[1]


FEW_COPIES = (
    "Your sum over periodic copies is too short: at large noise more than the nearest three contribute. "
    "Use all copies in `IMAGES`."
)
WRONG_PULLS: list[tuple[str, str, Pull]] = [
    (
        "not_wrapped",
        "Your pull is the plain difference of two places, as on a line. Across the cell's edge it is wrong by one "
        "whole turn: sum over the periodic copies, each weighted by its share.",
        lambda u, variance: log_density_and_pull(u, variance, ONE_COPY)[1],
    ),
    (
        "nearest_image_only",
        "You use the nearest periodic copy only. The other copies contribute too, each by its share; "
        "without them, your pull jumps halfway around the ring.",
        lambda u, variance: log_density_and_pull(on_ring(u), variance, ONE_COPY)[1],
    ),
    ("few_images", FEW_COPIES, lambda u, variance: log_density_and_pull(u, variance, THREE_COPIES)[1]),
    ("few_images", FEW_COPIES, lambda u, variance: log_density_and_pull(on_ring(u), variance, THREE_COPIES)[1]),
]


def wrong_pulls(formula: Callable[[Any, Pull], Tensor]) -> list[Mistake]:
    """Return the mistakes that come from a wrong derivative of the log density.

    Args:
        formula: Computes the answer of an exercise from its terms and from a (wrong) pull.
    """

    def mistake(code: str, message: str, wrong: Pull) -> Mistake:
        return Mistake(code, lambda terms: formula(terms, wrong), message)

    return [mistake(*entry) for entry in WRONG_PULLS]
