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
from utils.checks.lab2.analytic_score import KNOWN, LAST_REUSED, RUNS, Inputs, require_known, require_scores
from utils.checks.lab2.reused_inputs import require_nothing_kept

ORDINARY = ("large", "middle", "mixed", "again", "marked", "one", "pair", "single")
EXTREME = ("widest", "small", "tiny", "narrow", "single_tiny")
assert set(RUNS) == {*ORDINARY, *EXTREME}

ROUNDED_PLACE = 1e-6  # of the ring: as far as float32's rounding, of places, exponents and sums, can move a place
NAMING = {torch.float64: 1e-6, torch.float32: 1e-3}  # of the largest score in units of its width
NAMING_TINY = 2e-2  # where float32 rounds exponents of thousands
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
        return (self.shares_of_orders * self.pulls).sum(0)

    @cached_property
    def exponents(self) -> Tensor:
        """The exponents of the Gaussians, (order, b, atom, copy)."""
        return -(self.places**2) / (2 * self.variance[..., None])

    @cached_property
    def places(self) -> Tensor:
        """The offsets from all copies of the centres, (order, b, atom, copy)."""
        centres = torch.tensor(CENTRES, dtype=torch.float64)
        return (self.x - torch.stack([centres, centres.flip(0)])[:, None])[..., None] + ALL_COPIES

    @cached_property
    def shares_of_copies(self) -> Tensor:
        """The shares of the copies, (order, b, atom, copy)."""
        return self.exponents.softmax(-1)

    @cached_property
    def shares_of_orders(self) -> Tensor:
        """The shares of the orders, (order, b, 1)."""
        return joint(self.exponents.logsumexp(-1)).softmax(0)

    @cached_property
    def pulls(self) -> Tensor:
        """The pull on each atom in each order, (order, b, atom)."""
        return -(self.shares_of_copies * self.places).sum(-1) / self.variance

    def right_rows(self, score: Tensor) -> Tensor:
        """Return which rows of a score are right to the precision of float32, (b,)."""
        return ((score - self.exact).abs() <= ROUNDED_PLACE * self.steepness).all(1)

    @property
    def apart(self) -> Tensor:
        """Which rows are so far from the diagonal that mistakes differ there, (b,)."""
        return (self.x[:, 0] - self.x[:, 1]).abs() > EQUALLY_LIKELY

    @cached_property
    def steepness(self) -> Tensor:
        """A bound of how fast the score changes as the two places change, (b, 2).

        A share changes as fast as the pulls of its terms differ, so pulls that spread make the score steep. Shares that
        do not add up to 1, because their exponents are rounded, change it in proportion to itself.
        """
        spread_of_copies = (self.shares_of_copies * self.places**2).sum(-1) / self.variance**2 - self.pulls**2
        from_mean = (self.pulls - self.exact).abs()
        exponent = (self.pulls**2).sum(-1, keepdim=True) * self.variance / 2
        of_each_order = 1 / self.variance + spread_of_copies + from_mean * from_mean.sum(-1, keepdim=True)
        return (self.shares_of_orders * (of_each_order + exponent * self.pulls.abs())).sum(0)

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
        "mean_differentiated",
        lambda t: t.exact / len(t.x),
        "You divide by the number of samples, as the gradient of a mean does. Differentiate the sum.",
    ),
    Mistake(
        "density_gradient",
        lambda t: t.exact * t.density(),
        "You return the gradient of the density. The score is the gradient of its logarithm: divide by the density.",
    ),
]


def explanations(judge: Judge, actual: Tensor, terms: Terms, rtol: float) -> list[tuple[str, str]]:
    """Return code and message of each mistake that gives this score, in the order of the table."""
    width, apart = terms.variance.sqrt(), terms.apart
    return [
        (code, message)
        for code, message, wrong in evaluated(MISTAKES, terms)
        if judge.close((actual * width)[apart], (wrong * width)[apart], rtol, ATOL)
    ]


def has_vanished(actual: Tensor, terms: Terms) -> bool:
    """Return whether the score is nearly 0 in many places where it should be large."""
    large = terms.exact.abs() * terms.variance.sqrt() > 1
    vanished = actual[large].abs() < 1e-9 * terms.exact[large].abs()
    return bool(vanished.double().mean() > 1 / 3)  # a few may be 0 by symmetry


def naming_tolerance(run: str, dtype: torch.dtype) -> float:
    """Return how near a score must be to what a mistake gives, relative to the largest score in units of its width."""
    return NAMING_TINY if run == "single_tiny" else NAMING[dtype]


def judge_scores(judge: Judge, runs: Sequence[str]) -> None:
    """Compare these runs. A mistake is named if it explains every wrong one of them."""
    wrong, lost, explained = False, False, None
    for run, actual in require_scores(judge, runs).items():
        inputs = Inputs.of(judge.challenge, run)
        terms = Terms(**vars(in_double(inputs)))
        right = terms.right_rows(actual)
        wrong = wrong or not bool(right.all())
        if bool(right[terms.apart].all()):
            continue
        lost = lost or has_vanished(actual, terms)
        fits = explanations(judge, actual, terms, naming_tolerance(run, inputs.x.dtype))
        explained = fits if explained is None else [finding for finding in explained if finding in fits]
        if not explained:
            break
    if not wrong:
        return
    require_nothing_kept(judge, f"{LAST_REUSED}/score", "new/score", "analytic_score")
    for finding in explained or ():
        judge.fail(*finding)
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
        for run in KNOWN:
            require_known(judge, run)
        judge.device()
    with judge.part("extremes", points=1):
        judge_scores(judge, EXTREME)
