"""Exercise 2.1, public half: the score of two atoms on a ring."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from utils.atoms import SIGMA_D
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.requirements import require_unchanged
from utils.checks.lab2.reused_inputs import ReusedTensors, require_nothing_kept, require_result_stays
from utils.checks.student import Student

RUNS = {
    # run: lowest and highest sigma, dtype, batch size
    "narrow": (0.001, 0.001, torch.float64, 60),  # and a crystal so narrow that far away every probability underflows
    "tiny": (0.001, 0.002, torch.float64, 60),
    "small": (0.01, 0.015, torch.float64, 60),  # with the lab's crystal: scores above 1000 occur
    "middle": (0.04, 0.08, torch.float64, 60),
    "large": (0.15, 0.25, torch.float64, 60),
    "widest": (0.5, 0.5, torch.float64, 60),
    "mixed": (0.001, 0.5, torch.float64, 60),
    "again": (0.05, 0.3, torch.float64, 60),
    "marked": (0.02, 0.2, torch.float64, 35),  # x and sigma require a gradient and are not contiguous
    "one": (0.05, 0.1, torch.float64, 1),
    "pair": (0.05, 0.3, torch.float64, 2),  # as many samples as atoms
    "single": (0.01, 0.2, torch.float32, 40),
    "single_tiny": (0.001, 0.001, torch.float32, 40),
}
EACH_ITS_SIGMA = ("mixed", "single", "again", "pair")
LAST_REUSED = "again"  # the last run with the tensors of earlier ones
WITHOUT_GRADIENTS = ("tiny", "single_tiny")  # called inside of `torch.no_grad()`, as the lab's sampler does


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge."""

    x: Tensor  # (b, 2) states; the first rows are the hard places
    sigma: Tensor  # (b, 1) noise, equal for all samples but in EACH_ITS_SIGMA
    sigma_d: float  # width of the data

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Draw the inputs of a run."""
        low, high, dtype, batch = RUNS[run]
        x = challenge.rand(f"{run} x", (batch, 2), dtype=dtype)
        if batch > 30:
            x[0], x[1], x[2] = (torch.tensor(row) for row in ([0.25, 0.75], [0.75, 0.25], [0.0, 1.0]))
            x[3:6, 0], x[6:9, 1] = 0.0, 1 - 1e-7
            x[9:15, 1] = x[9:15, 0]  # the diagonal, where both orders are equally likely
            x[15:20, 1] = x[15:20, 0] + 1e-3
            x[20:30] = challenge.randn(f"{run} near", (10, 2), dtype) * 0.02 + x[0]
            x[30, 0], x[30, 1] = 0.3, 0.22  # far from both orders, of which one is far more probable
        logs = challenge.rand(f"{run} sigma", (batch if run in EACH_ITS_SIGMA else 1, 1), dtype=dtype)
        sigma = (low * (high / low) ** logs).expand(batch, 1)
        if run == "marked":
            x, sigma = x.repeat_interleave(2, 1)[:, ::2].requires_grad_(), sigma.requires_grad_()
        else:
            sigma = sigma.contiguous()
        if run == "mixed":
            sigma[-1], sigma[-2], x[-1] = low, high, x[30]
            sigma[0] = low  # the first and the last sigma are those of `narrow`, which has the same sigma_d
        return cls(x, sigma, CRYSTALS.get(run, challenge.number("sigma_d", 0.012, 0.03)))


CRYSTALS = {
    "narrow": SIGMA_D / 2,
    "small": SIGMA_D,
    "mixed": SIGMA_D / 2,
}  # sigma_d of the runs for which the challenge does not draw it

# Single places: x, sigma, sigma_d and the score. The variance of data and noise together is 0.0017 at `near`, `swapped`
# and `edge`, 0.0016 at `clean`, which differs from `near` in sigma_d alone, and 0.0025 at `orders`. One copy of each
# atom counts, and one order, so the score is known by hand, but: at `orders` the first order has three times the weight
# of the second, and at `copies` all count, and the number is the oracle's.
TILT = 0.0025 * math.log(3)
KNOWN = {
    "near": ((0.252, 0.747), 0.04, 0.01, (-0.002 / 0.0017, 0.003 / 0.0017)),
    "clean": ((0.252, 0.747), 0.04, 0.0, (-0.002 / 0.0016, 0.003 / 0.0016)),
    "swapped": ((0.73, 0.26), 0.04, 0.01, (0.02 / 0.0017, -0.01 / 0.0017)),
    "edge": ((0.24, 0.05), 0.04, 0.01, (0.01 / 0.0017, -0.3 / 0.0017)),
    "orders": ((0.5 - TILT, 0.5 + TILT), 0.04, 0.03, (-50 + 400 * TILT, 50 - 400 * TILT)),
    "least": ((0.252, 0.747), 0.001, 0.01, (-0.002 / 1.01e-4, 0.003 / 1.01e-4)),
    "far": ((0.72, 0.68), 0.001, 0.01, (0.03 / 1.01e-4, -0.43 / 1.01e-4)),
    "copies": ((0.02, 0.9), 0.5, 0.01, (7.5508201e-4, -1.3135231e-4)),
}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the score at every noise level, at places where it is known, and once on another device."""
    analytic_score, shared = student.function("analytic_score", "x", "sigma", "sigma_d"), ReusedTensors()
    returned = {}
    for run in RUNS:
        inputs, given = Inputs.of(challenge, run), shared.filled(Inputs.of(challenge, run))
        gradients = torch.no_grad() if run in WITHOUT_GRADIENTS else contextlib.nullcontext()
        with evidence.attempt(run), gradients, watching(evidence, run, x=given.x, sigma=given.sigma):
            returned[run] = analytic_score(given.x, given.sigma, given.sigma_d)
            evidence.put(f"{run}/score", returned[run])
        evidence.put(f"{run}/inputs_kept", same_tensors(given, inputs))
    with evidence.attempt("later"):
        evidence.put("later/score", returned.get("narrow"))
    with (
        evidence.attempt("new"),
        watching(evidence, "new"),
    ):  # the numbers of the last run in tensors that no call has seen
        given = Inputs.of(challenge, LAST_REUSED)
        evidence.put("new/score", analytic_score(given.x, given.sigma, given.sigma_d))
    with watching(evidence, "known"):
        for run, (place, sigma, sigma_d, _) in KNOWN.items():
            with evidence.attempt(run):
                x = torch.tensor(place, dtype=torch.float64).repeat(3, 1)
                evidence.put(f"{run}/score", analytic_score(x, torch.full_like(x[:, :1], sigma), sigma_d))
    with other_device(evidence, challenge) as there:
        inputs = Inputs.of(there, "single")
        put_device(evidence, analytic_score(inputs.x, inputs.sigma, inputs.sigma_d))


def require_score(judge: Judge, run: str) -> Tensor:
    """Return the score of a run, (b, 2) in float64.

    Fails unless it is finite, has the shape and the dtype of x, and the inputs are unchanged.
    """
    x = Inputs.of(judge.challenge, run).x
    judge.require(
        run not in WITHOUT_GRADIENTS or "does not require grad" not in str(judge.evidence.errors.get(run)),
        "fails_without_gradients",
        "Your function fails inside of `torch.no_grad()`, where the lab's sampler calls it. "
        "Put its differentiation into a block `with torch.enable_grad():`.",
    )
    score = judge.tensor(f"{run}/score", x.shape, "The score", finite=False)
    actual, expected = judge.evidence.tensors[f"{run}/score"].dtype, x.dtype
    judge.require(
        actual == expected,
        "wrong_dtype",
        f"The score came back as {str(actual).removeprefix('torch.')}, where x is "
        f"{str(expected).removeprefix('torch.')}. Return it in the dtype of x.",
    )
    require_unchanged(judge, f"{run}/inputs_kept")
    judge.require(
        torch.isfinite(score).all(),
        "not_finite",
        "Your score contains NaN or infinity. Far from the atoms every Gaussian is smaller than the smallest "
        "floating-point number: work with logarithms, `logsumexp` and `softmax`.",
    )
    return score


def require_scores(judge: Judge, runs: Iterable[str]) -> dict[str, Tensor]:
    """Return the scores by run. Fails, too, if a run leaves something behind or a later call changes a score."""
    scores = {run: require_score(judge, run) for run in runs}
    require_nothing_left(judge, (*scores, "new", "known"))
    require_result_stays(judge, "narrow/score", "later/score", "analytic_score")
    return scores


# The mean of score times `directions` on the public challenge, by automatic differentiation of the log density in
# float64: tests/exercises/lab2/test_analytic_score.py makes these numbers again.
PUBLIC_SCORES = {
    "narrow": -2.45155674,
    "tiny": 0.173070525,
    "small": -1.612351108,
    "middle": 0.176708520,
    "large": 0.061551473,
    "widest": 0.0000213329329,
    "mixed": -0.023329380,
    "again": 0.040668240,
    "marked": -0.074662472,
    "one": 0.357003518,
    "pair": -0.424165867,
    "single": 0.222503776,
    "single_tiny": 0.653691719,
}
TOLERANCES = {  # of these numbers, at least five times what float32's rounding changes
    "narrow": 1e-4,
    "tiny": 3e-5,
    "small": 1e-4,
    "middle": 1e-6,
    "large": 3e-7,
    "widest": 1e-7,
    "mixed": 1e-5,
    "again": 1e-6,
    "marked": 5e-7,
    "one": 1e-6,
    "pair": 1e-6,
    "single": 5e-6,
    "single_tiny": 1e-4,
}
KNOWN_TOLERANCE = 1e-4
LITTLE = 0.02  # of the known score, and at `copies` of the width: nearer to it, a mistake is something small
FAINT = "edge", "far"  # where the density is so small that what keeps it away from 0 shows
ROUNDED_COPIES = 2e-3  # at `copies`, where the pulls of float32 cancel to a thousandth
PULL_OF_THE_OTHER_ORDER = 0.2 / 0.0017  # on the second atom at `edge`, which is 0.2 from 0.25


def directions(challenge: Challenge, run: str) -> Tensor:
    """Return random directions of the shape of x, scaled so that every noise level has the same weight."""
    inputs = Inputs.of(challenge, run)
    width = (inputs.sigma.detach().double() ** 2 + inputs.sigma_d**2).sqrt()
    return challenge.randn(f"{run} score probe", tuple(inputs.x.shape)) * width


def require_known(judge: Judge, run: str) -> None:
    """Compare the score at a place where it is known, and name a wrong one by its ratio."""
    place, sigma, sigma_d, known = KNOWN[run]
    actual, expected = judge.tensor(f"{run}/score", (3, 2), "The score").mean(0), torch.tensor(known).double()
    if judge.close(actual, expected, ROUNDED_COPIES if run == "copies" else KNOWN_TOLERANCE):
        return
    if run == "orders":
        fail_by_share(judge, actual)
    ratio = float((actual * expected).sum() / expected.square().sum())
    count = "many copies count" if run == "copies" else "one order and one copy count"
    seen = f"At x = {place} with sigma = {sigma} and sigma_d = {sigma_d}, {count}. "
    if run == "near" and abs(ratio - 1) > 1e-3 and judge.close(actual, ratio * expected, KNOWN_TOLERANCE):
        judge.require(ratio > 0, "points_downhill", f"{seen}There your score points away from the atoms' places.")
        far = "far_" if not 0.15 < ratio < 4 else ""
        seen += f"There your score has the right direction, and its size is {ratio:.6g} times the right one. "
        judge.require(
            not math.isclose(ratio, 1 / 3, rel_tol=1e-5),
            "divided_by_the_batch",
            f"{seen}That is one over the number of samples here: does your score depend on the size of the batch?",
        )
        why = "What is the variance of data and noise together, and how often does it divide?"
        judge.fail(
            f"{far}too_large" if ratio > 1 else f"{far}too_small",
            f"{seen}{'That is sigma: return the score itself.' if math.isclose(ratio, sigma, rel_tol=1e-3) else why}",
        )
    if run == "edge" and abs(float(actual[1]) - PULL_OF_THE_OTHER_ORDER) < 0.1:
        judge.fail(
            "orders_differ_by_atom",
            f"{seen}There your first atom follows the first order and your second atom the second one. Both belong to "
            "one order: what is the weight of an order, for the two atoms together?",
        )
    judge.require(
        run not in FAINT or not 0 <= ratio < 1 or not judge.close(actual, ratio * expected, KNOWN_TOLERANCE),
        "fades_far_away",
        f"{seen}There your score has the right direction, and its size is {ratio:.4g} times the right one. The density "
        "is very small there: does it become 0 in your code, or is something added to it, or limited?",
    )
    words = {
        "near": "Does the other order, which is far away, pull there as well?",
        "clean": "At the same place, with the same sigma and sigma_d = 0.01, it is right.",
        "swapped": "Near the peak of the first order, with the same sigma and sigma_d, it is right.",
        "edge": "The shortest way from the second atom's place to x crosses the cell's edge.",
        "least": "With larger sigma it was right.",
        "far": "Nearer to the peaks it was right.",
        "copies": "With less noise it was right.",
    }
    little = run == "near" and judge.close(actual, expected, LITTLE)
    if run == "copies":
        little = float((actual - expected).abs().max()) < LITTLE
    if little:
        words |= {"near": "Is a share or a density kept away from 0?", "copies": "Are there enough copies?"}
    judge.fail(
        f"a_little_wrong_{run}" if little else f"wrong_{run}",
        f"{seen}There your score is ({float(actual[0]):.6g}, {float(actual[1]):.6g}), "
        f"not ({known[0]:g}, {known[1]:g}). {words[run]}",
    )


def fail_by_share(judge: Judge, actual: Tensor) -> None:
    """Fail with the share of the first order that a wrong score at the place `orders` has, if it has one."""
    (first, second), sigma, sigma_d, _ = KNOWN["orders"]
    share = 0.5 + 2 * (TILT - float(actual[0]) * (sigma**2 + sigma_d**2))
    seen = (
        f"At x = ({first:.4f}, {second:.4f}) with sigma = {sigma} and sigma_d = {sigma_d}, one copy counts for each "
        "atom, and the first order is three times as probable as the second. "
    )
    if not judge.close(actual[1], -actual[0], KNOWN_TOLERANCE):
        judge.fail("orders_differ_by_atom", f"{seen}Your two atoms do not agree on the shares of the orders.")
    size = "only_one_order" if share > 0.999 else "order_share_too_large" if share > 0.75 else "order_share_too_small"
    judge.fail(
        size,
        f"{seen}Its share is 0.75, but your score is that of a share of {share:.4g}. Which terms make up the "
        "logarithm of an order's weight, and what divides them?",
    )


def check_run(judge: Judge, run: str, score: Tensor) -> None:
    """Compare the scores of a run with the number of the oracle."""
    actual, expected = float(score.mul(directions(judge.challenge, run)).mean()), PUBLIC_SCORES[run]
    high = RUNS[run][1]
    wrong = {
        "middle": ("wrong_shares", "How are orders and periodic copies weighted where several count?"),
        "one": ("wrong_in_a_batch_of_one", "Does a sample depend on the others in its batch?"),
        "pair": ("wrong_in_a_batch_of_two", "Here are as many samples as atoms: which axis is which?"),
        "large": ("wrong_shares_of_copies", "How are the periodic copies weighted where several count?"),
        "widest": ("wrong_at_much_noise", "Are there enough periodic copies?"),
        "mixed": ("wrong_with_many_sigmas", "Here each row has a sigma of its own."),
    }
    little = ("wrong_at_little_noise", "Work with logarithms where densities underflow, and limit nothing.")
    code, words = wrong.get(run, little if high <= 0.02 else ("not_the_gradient", "Are all digits of x used?"))
    judge.require(
        abs(actual - expected) <= TOLERANCES[run],
        code,
        f"Your score is not the gradient of the log density of the two atoms, at noise levels up to {high:g}. "
        f"The mean of its elements, each times a fixed random number, is {actual:.9g}, not {expected:.9g}. {words}",
    )


def check(judge: Judge) -> None:
    """Compare the scores on the public challenge with the numbers of the oracle, simple places first."""
    with judge.part("score", 4):
        scores = require_scores(judge, RUNS)
        require_nothing_kept(judge, f"{LAST_REUSED}/score", "new/score", "analytic_score")
        for run in KNOWN:
            require_known(judge, run)
        for run in sorted(RUNS, key=lambda run: ("middle", "large", "widest", *RUNS).index(run)):
            check_run(judge, run, scores[run])
        judge.device()


EXERCISE = Exercise(
    "lab2.analytic_score",
    points=4,
    title="The score you can write down",
    names=("analytic_score",),
    probe=probe,
    public=check,
    version=7,
)
