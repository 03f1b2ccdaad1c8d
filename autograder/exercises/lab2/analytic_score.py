"""Exercise 2.1, hidden half: the score of two atoms on a ring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, evaluated
from autograder.exercises.kits.wrapped_normal import (
    ALL_COPIES,
    FEW_COPIES,
    ONE_COPY,
    THREE_COPIES,
    log_density_and_pull,
)
from utils.atoms import CENTRES
from utils.checks.judging import Judge
from utils.checks.kits.inputs import in_double
from utils.checks.kits.ring import on_ring
from utils.checks.lab2.analytic_score import RUNS, Inputs, require_score

ORDINARY = ("large", "middle", "mixed", "again", "marked", "one", "single")
EXTREME = ("widest", "small", "tiny", "narrow", "single_tiny")
assert set(RUNS) == {*ORDINARY, *EXTREME}

TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-3}
FEWER_COPIES = 1e-6  # at much noise: seven periodic copies are enough
TINY_TOLERANCE = 2e-2  # of the largest pull, half a ring over the variance: float32 rounds exponents of thousands
ROUNDED_EXPONENT = 4e-5  # float32's rounding of an exponent and of a pull of size 1, with room
FLOAT32_DIGITS = 2e-3  # a float64 score that is right to this has lost digits, and is otherwise right
ATOL = 1e-12
EQUALLY_LIKELY = 1e-6  # so near to the diagonal, rounding decides which order is more probable


@dataclass(frozen=True)
class Terms:
    """The inputs of one run in float64, and what follows from them."""

    x: Tensor  # (b, 2)
    sigma: Tensor  # (b, 1)
    sigma_d: float

    @cached_property
    def variance(self) -> Tensor:
        """Variance of data and noise, (b, 1)."""
        return self.sigma**2 + self.sigma_d**2

    @cached_property
    def exact(self) -> Tensor:
        """The score, (b, 2)."""
        return self.score(self.variance)

    def score(
        self, variance: Tensor, copies: Tensor = ALL_COPIES, weights: str = "joint", nearest_first: bool = False
    ) -> Tensor:
        """Return the score with another variance, with other periodic copies, or with the orders weighted otherwise.

        Args:
            variance: (b, 1).
            copies: The periodic copies that are summed.
            weights: How the scores of the two orders are combined, a key of `COMBINE`.
            nearest_first: Start from the nearest periodic copy.
        """
        centres = torch.tensor(CENTRES, dtype=torch.float64)
        offsets = [self.x - order for order in (centres, centres.flip(0))]
        if nearest_first:
            offsets = [on_ring(offset) for offset in offsets]
        pairs = [log_density_and_pull(offset, variance.expand_as(self.x), copies) for offset in offsets]
        logs, pulls = (torch.stack(columns) for columns in zip(*pairs, strict=True))
        return COMBINE[weights](logs, pulls)

    def density(self) -> Tensor:
        """Return the density at x, (b, 1)."""
        centres = torch.tensor(CENTRES, dtype=torch.float64)
        variance = self.variance.expand_as(self.x)
        logs = [
            log_density_and_pull(self.x - order, variance)[0].sum(-1, keepdim=True)
            for order in (centres, centres.flip(0))
        ]
        return torch.logsumexp(torch.stack(logs), 0).exp() / (4 * math.pi * self.variance)


def joint(logs: Tensor) -> Tensor:
    """Return the log density of each order, (order, b, 1), from that of each atom, (order, b, atom)."""
    return logs.sum(-1, keepdim=True)


def of_nearest_order(logs: Tensor, pulls: Tensor) -> Tensor:
    """Return the pulls of the more probable order."""
    nearest = joint(logs).argmax(0, keepdim=True)
    return pulls.gather(0, nearest.expand(1, *pulls.shape[1:]))[0]


# How to combine the two orders, from the log densities and the pulls of each atom in each order: (order, b, atom).
COMBINE = {
    "joint": lambda logs, pulls: (joint(logs).softmax(0) * pulls).sum(0),
    "first": lambda logs, pulls: pulls[0],
    "half": lambda logs, pulls: pulls.mean(0),
    "sum": lambda logs, pulls: pulls.sum(0),
    "nearest": of_nearest_order,
    "each atom": lambda logs, pulls: (logs.softmax(0) * pulls).sum(0),
    "batch": lambda logs, pulls: (joint(logs).softmax(1) * pulls).sum(0),
}

MISTAKES = [
    Mistake(
        "wrong_sign",
        lambda t: -t.exact,
        "Your score points away from the atoms' places. As the gradient of the log density, it must point uphill.",
    ),
    Mistake(
        "data_width_missing",
        lambda t: t.score(t.sigma**2),
        "You use the variance of the noise alone. The data have a width sigma_d too, and independent variances add up.",
    ),
    Mistake(
        "noise_width_missing",
        lambda t: t.score(torch.full_like(t.sigma, t.sigma_d**2)),
        "You use sigma_d alone, so your score does not depend on the noise.",
    ),
    Mistake(
        "widths_added",
        lambda t: t.score((t.sigma + t.sigma_d) ** 2),
        "You add sigma and sigma_d. For independent Gaussian numbers the variances add up, not the widths.",
    ),
    Mistake(
        "not_wrapped",
        lambda t: t.score(t.variance, ONE_COPY),
        "You use plain Gaussians, so your score jumps at the cell's edge. Sum over the periodic copies.",
    ),
    Mistake(
        "nearest_image_only",
        lambda t: t.score(t.variance, ONE_COPY, nearest_first=True),
        "You use the nearest periodic copy only. The other copies contribute too, each by its share.",
    ),
    Mistake("few_images", lambda t: t.score(t.variance, THREE_COPIES), FEW_COPIES),
    Mistake("few_images", lambda t: t.score(t.variance, THREE_COPIES, nearest_first=True), FEW_COPIES),
    Mistake(
        "one_order_only",
        lambda t: t.score(t.variance, weights="first"),
        "Your score knows one order of the atoms only. Either atom may sit near 0.25, and swapping the two must not "
        "change the density.",
    ),
    Mistake(
        "orders_averaged",
        lambda t: t.score(t.variance, weights="half"),
        "You average the scores of the two orders with weight 1/2. In the gradient of log(a + b), each is weighted by "
        "its share of the density at x: at the place of one order, the other must not pull.",
    ),
    Mistake(
        "orders_averaged",
        lambda t: t.score(t.variance, weights="sum"),
        "You add the scores of the two orders. In the gradient of log(a + b), each is weighted by its share of the "
        "density at x.",
    ),
    Mistake(
        "nearest_order",
        lambda t: t.score(t.variance, weights="nearest"),
        "You take the more probable order only, so your score jumps where the two atoms meet. Weight both orders by "
        "their shares.",
    ),
    Mistake(
        "atoms_independent",
        lambda t: t.score(t.variance, weights="each atom"),
        "Each of your atoms chooses its place independently, so both may sit near 0.25. The order is chosen once for "
        "both atoms: multiply the densities of the atoms before you weight the orders.",
    ),
    Mistake(
        "rows_mixed",
        lambda t: t.score(t.variance, weights="batch"),
        "The samples of a batch influence each other: your softmax runs over the batch, not over the orders.",
    ),
    Mistake(
        "normalised_score",
        lambda t: t.exact * t.sigma,
        "You return sigma times the score. That is what the network will learn; here the score itself is expected.",
    ),
    Mistake(
        "normalised_score",
        lambda t: t.exact * t.variance.sqrt(),
        "You return the score times its width sqrt(sigma² + sigma_d²). Divide by the variance, not by the width.",
    ),
    Mistake("not_divided", lambda t: t.exact * t.variance, "Your pull is not divided by the variance."),
    Mistake(
        "half_missing",
        lambda t: t.score(t.variance / 2) / 2,
        "The exponent of a Gaussian is the squared distance over twice the variance; the factor 2 is missing in your "
        "weights.",
    ),
    Mistake(
        "half_missing",
        lambda t: t.score(t.variance / 2),
        "The exponent of a Gaussian is the squared distance over twice the variance; the factor 2 is missing.",
    ),
    Mistake(
        "one_sigma_for_all",
        lambda t: t.score(t.variance[:1].expand_as(t.variance)),
        "You use the sigma of the first sample for all samples. Each row has its own.",
    ),
    Mistake(
        "one_sigma_for_all",
        lambda t: t.score((t.sigma.mean() ** 2 + t.sigma_d**2).expand_as(t.variance)),
        "You use the mean sigma for all samples. Each row has its own.",
    ),
    Mistake(
        "density_gradient",
        lambda t: t.exact * t.density(),
        "You return the gradient of the density. The score is the gradient of its logarithm: divide by the density.",
    ),
]


def explanations(judge: Judge, actual: Tensor, terms: Terms, rtol: float) -> list[tuple[str, str]]:
    """Return code and message of each mistake that gives this score, in the order of the table."""
    width = terms.variance.sqrt()
    apart = (terms.x[:, 0] - terms.x[:, 1]).abs() > EQUALLY_LIKELY
    return [
        (code, message)
        for code, message, wrong in evaluated(MISTAKES, terms)
        if judge.close((actual * width)[apart], (wrong * width)[apart], max(rtol, 1e-7), ATOL)
    ]


def has_vanished(actual: Tensor, terms: Terms) -> bool:
    """Return whether the score is nearly 0 in many places where it should be large."""
    large = terms.exact.abs() * terms.variance.sqrt() > 1
    vanished = actual[large].abs() < 1e-9 * terms.exact[large].abs()
    return bool(vanished.double().mean() > 1 / 3)  # a few may be 0 by symmetry


def tolerance_of(run: str, dtype: torch.dtype) -> float:
    """Return the tolerance of a run, relative to the largest score in units of its width."""
    special = {"single_tiny": TINY_TOLERANCE, "widest": FEWER_COPIES, "mixed": FEWER_COPIES}
    return special.get(run, TOLERANCES[dtype])


def is_rounded(judge: Judge, actual: Tensor, expected: Tensor, width: Tensor) -> bool:
    """Return whether scores in units of their width, (b, 2), differ by no more than float32's rounding explains.

    Its exponents grow with 1 / width², and the pulls with 1 / width: at much noise nothing is lost.
    """
    rounding = ROUNDED_EXPONENT * (1 + width**-2) * (1 + 1 / width)
    return judge.close(actual, expected, FLOAT32_DIGITS) and bool(((actual - expected).abs() <= rounding).all())


def digits(actual: Tensor, expected: Tensor) -> tuple[float, float]:
    """Return the two numbers that differ most."""
    worst = (actual - expected).abs().flatten().argmax()
    return float(actual.flatten()[worst]), float(expected.flatten()[worst])


def judge_scores(judge: Judge, runs: Sequence[str]) -> None:
    """Compare these runs. A mistake is named if it explains every wrong one of them."""
    lost, explained, rounded = False, None, []
    for run in runs:
        actual = require_score(judge, run)
        inputs = Inputs.of(judge.challenge, run)
        rtol = tolerance_of(run, inputs.x.dtype)
        terms = Terms(**vars(in_double(inputs)))
        width = terms.variance.sqrt()  # each row in units of its own width: every noise level has the same weight
        if judge.close(actual * width, terms.exact * width, rtol, ATOL):
            continue
        lost = lost or has_vanished(actual, terms)
        fits = explanations(judge, actual, terms, rtol)
        explained = fits if explained is None else [finding for finding in explained if finding in fits]
        near = is_rounded(judge, actual * width, terms.exact * width, width)
        rounded.append(digits(actual * width, terms.exact * width) if near else None)
        if not explained and None in rounded:
            break
    if explained is None:
        return
    for finding in explained:
        judge.fail(*finding)
    if (numbers := rounded[0]) is not None and None not in rounded:
        judge.fail(
            "digits_lost",
            f"Your score has lost digits: times its width it is {numbers[0]:.12g} at one place, and right is "
            f"{numbers[1]:.12g}. x is float64, and the exercise asks for its precision: compute in the dtype of x.",
        )
    judge.require(
        not lost,
        "score_vanishes",
        "Far from the atoms your score is nearly 0, where it should be largest, because the densities there have "
        "become 0. Work with logarithms, `logsumexp` and `softmax`.",
    )
    judge.fail(
        "wrong_score",
        "Your score is not the gradient of the log density. Compare it with `torch.autograd` on the logarithm of the "
        "density, at one x in the middle of the cell and at one near its edge.",
    )


def verdict(judge: Judge) -> None:
    """Three points for ordinary noise levels, one for extreme ones."""
    with judge.part("score", points=3):
        judge_scores(judge, ORDINARY)
        judge.device()
    with judge.part("extremes", points=1):
        judge_scores(judge, EXTREME)
