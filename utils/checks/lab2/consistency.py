"""Exercise 2.6, public half: the target of consistency between two times."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from utils.atoms import SIGMA_MIN
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.ring import on_ring
from utils.checks.lab2.reused_inputs import ReusedTensors, require_nothing_kept, require_result_stays
from utils.checks.student import Student

RUNS = {
    # run: shape of x, dtype, and the two noise levels; None draws them for each sample
    "main": ((40, 2), torch.float64, None),
    "again": ((40, 2), torch.float64, None),
    "wide": ((4, 4), torch.float64, None),  # as many samples as atoms
    "widest": ((30, 2), torch.float64, (0.5, 0.05)),
    "near": ((30, 2), torch.float64, (0.5, 0.1)),  # as much noise, and yet all walks are short
    "shared": ((11, 2), torch.float64, (0.15, 0.1)),  # one sigma for all, expanded, and places that are not contiguous
    "noise_free": ((9, 1), torch.float64, (0.03, 0.0)),  # nothing is left at the end of the walk
    "narrow": ((9, 1), torch.float64, (0.02, 0.005)),  # the same walks
    "least": ((30, 2), torch.float64, (SIGMA_MIN * 200**0.05, SIGMA_MIN)),  # the lab's last walk
    "one": ((1, 2), torch.float64, None),
    "single": ((12, 2), torch.float32, None),
    "least_single": ((12, 2), torch.float32, (SIGMA_MIN * 200**0.05, SIGMA_MIN)),
}
NEAR = 0.25  # of the ring: no walk of the run "near" is longer
ONE_SIGMA = (
    "shared",
    "widest",
    "near",
)  # the same noise levels for all samples, and so much noise that several copies count
NEAREST = ("noise_free", "narrow", "least")  # so little noise that the nearest periodic copy alone counts
LAST_REUSED = "again"  # a run with the tensors of an earlier one
WITHOUT_GRADIENTS = ("again", "least", "single")  # called inside of `torch.no_grad()`, as the lab does
SPREAD = 1e-2  # relative: factors that differ more are not one factor
ROUNDING = 1e-4  # relative: a target that is right to the precision of float32 is right


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge."""

    x: Tensor  # (b, n) states at the start of a walk
    y: Tensor  # (b, n) states at its end
    sigma_start: Tensor  # (b, 1)
    sigma_end: Tensor  # (b, 1), below sigma_start

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Draw the inputs of a run. The first places lie on both sides of the cell's edge."""
        shape, dtype, sigmas = RUNS[run]
        walks = "noise_free" if run == "narrow" else run
        x, y = (challenge.rand(f"{walks} {which}", shape, dtype=dtype) for which in ("x", "y"))
        if shape[0] > 2:
            x[0], y[0], x[1], y[1] = 0.97, 0.02, 0.0, 0.9
            x[2], y[2], y[3] = 0.9999, 0.0001, 0.9999
        if sigmas is None:
            end = challenge.rand(f"{run} end", (shape[0], 1), 0.05, 0.25, dtype)
            start = end + challenge.rand(f"{run} gap", (shape[0], 1), 0.05, 0.25, dtype)
        else:
            start, end = (torch.full((shape[0], 1), sigma, dtype=dtype, device=challenge.device) for sigma in sigmas)
        if run == "shared":
            start, end = start[:1].expand(shape[0], 1), end[:1].expand(shape[0], 1)
            x, y = x.repeat_interleave(2, 1)[:, ::2], y.T.contiguous().T
        if run == "near":
            y = (x + NEAR * (2 * challenge.rand("near way", shape, dtype=dtype) - 1)).clamp(0, 1)
        return cls(x, y, start, end)

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `consistency_target` is called with."""
        return self.x, self.y, self.sigma_start, self.sigma_end


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the target of every run, one for new tensors with the same numbers, and one on another device."""
    target, shared = student.function("consistency_target", "x", "y", "sigma_start", "sigma_end"), ReusedTensors()
    returned = {}
    for run in RUNS:
        inputs, given = Inputs.of(challenge, run), Inputs.of(challenge, run)
        given = given if run == "near" else shared.filled(given)  # so its sigma_start is in two tensors
        gradients = torch.no_grad() if run in WITHOUT_GRADIENTS else contextlib.nullcontext()
        with evidence.attempt(run), gradients, watching(evidence, run, **vars(given)):
            returned[run] = target(*given.arguments)
            evidence.put(f"{run}/target", returned[run])
        evidence.put(f"{run}/inputs_kept", same_tensors(given, inputs))
    with evidence.attempt("later"):
        evidence.put("later/target", returned.get("main"))
    with evidence.attempt("new"), torch.no_grad(), watching(evidence, "new"):
        evidence.put("new/target", target(*Inputs.of(challenge, LAST_REUSED).arguments))
    with other_device(evidence, challenge) as there:
        put_device(evidence, target(*Inputs.of(there, "single").arguments))


def require_target(judge: Judge, run: str) -> Tensor:
    """Return the target of a run, (b, n) in float64.

    Fails unless it is finite and has the shape of x, and the inputs are unchanged.
    """
    inputs = Inputs.of(judge.challenge, run)
    error = judge.evidence.errors.get(run, {})
    judge.require(
        run not in WITHOUT_GRADIENTS or "does not require grad" not in str(error.get("message")),
        "fails_without_gradients",
        "Your function fails inside of `torch.no_grad()`, where the lab calls it. "
        "Put its differentiation into a block `with torch.enable_grad():`.",
    )
    target = judge.tensor(f"{run}/target", inputs.x.shape, "The target", finite=False)
    start, end = float(inputs.sigma_start[0]), float(inputs.sigma_end[0])
    judge.require(
        torch.isfinite(target).all() or run != "one",
        "not_finite_in_a_batch_of_one",
        "Your target contains NaN or infinity in a batch of one. Does it depend on the number of samples?",
    )
    judge.require(
        torch.isfinite(target).all(),
        "not_finite",
        f"Your target contains NaN or infinity where sigma_start is {start:.4g} and sigma_end is {end:.4g}. Is it the "
        "root of a negative number, or a sum of exponentials that are all 0? `softmax` and `logsumexp` do not vanish.",
    )
    require_unchanged(judge, f"{run}/inputs_kept")
    return target


def require_targets(judge: Judge) -> dict[str, Tensor]:
    """Return the targets by run. Fails, too, if a run leaves something behind or a later call changes a target."""
    targets = {run: require_target(judge, run) for run in RUNS}
    require_nothing_left(judge, (*RUNS, "new"))
    require_result_stays(judge, "main/target", "later/target", "consistency_target")
    return targets


# The mean absolute target on the public challenge, by automatic differentiation of log K in float64:
# tests/exercises/lab2/test_consistency.py makes these numbers again.
PUBLIC_TARGETS = {
    "noise_free": 7.65291158,
    "narrow": 12.2446585,
    "least": 424.666922,
    "main": 0.9892088,
    "again": 0.856731639,
    "wide": 0.222400274,
    "widest": 0.0284081452,
    "shared": 2.11635516,
    "near": 0.0315306956,
    "one": 1.57387442,
    "single": 0.558403932,
    "least_single": 377.248738,
}


def check_nearest(judge: Judge, run: str, target: Tensor) -> None:
    """Compare the size of a target where the nearest copy alone counts, and name a wrong factor by its ratio."""
    inputs = Inputs.of(judge.challenge, run)
    start, end = float(inputs.sigma_start[0]), float(inputs.sigma_end[0])
    ratio = float(target.abs().mean()) / PUBLIC_TARGETS[run]
    if abs(ratio - 1) < ROUNDING:
        return
    way = on_ring(inputs.y - inputs.x).double()
    factors = (target / way)[way.abs() > 1e-6]
    least, most = float(factors.min()), float(factors.max())
    judge.require(
        least <= 0 or most < (1 + SPREAD) * least,
        f"{run}_varies",
        f"Where sigma_start is {start:.4g} and sigma_end is {end:.4g}, your target must be the shortest way from x to "
        f"y times one factor, but yours lies between {least:.4g} and {most:.4g}. Is the variance of the Gaussian so "
        "large that several copies count, or is something limited, or added to a sum?",
    )
    words = "too large" if ratio > 1 else "too small" if ratio > 0.5 else "far too small"
    where = "Look at the variance of the Gaussian and the factor in front"
    if math.isclose(ratio, 1 / target.numel(), rel_tol=ROUNDING):
        where = f"That is one over {target.numel()}, the number of your targets"
    judge.fail(
        f"{run}_{words.replace(' ', '_')}",
        f"Where sigma_start is {start:.4g} and sigma_end is {end:.4g}, your target has the right direction but is "
        f"{words}: {ratio:.6g} times the right one. {where}.",
    )


def check(judge: Judge) -> None:
    """Test the direction of the targets, and compare their size with the numbers of the oracle."""
    with judge.part("target", 1):
        targets = require_targets(judge)
        require_nothing_kept(judge, f"{LAST_REUSED}/target", "new/target", "consistency_target")
        for run in sorted(RUNS, key=lambda run: (*NEAREST, *ONE_SIGMA, *RUNS).index(run)):
            inputs, target = Inputs.of(judge.challenge, run), targets[run]
            towards_y = on_ring(inputs.y - inputs.x).double()
            sides = target * towards_y
            shares = "" if run in NEAREST else " With little noise it is right: which copies do you add, and how?"
            judge.require(
                bool((target != 0).any()),
                "target_is_zero",
                f"Your target is 0 everywhere (seen where sigma_end is {float(inputs.sigma_end.max()):.3g}). "
                "Which of the sigmas is the factor in front?",
            )
            judge.require(
                not (sides <= 0).all() or target.numel() < 4,
                "points_from_y",
                "Your target points away from y in every place. The score at x points back to y.",
            )
            wrong = (sides < 0) & (towards_y.abs() >= 1e-4)
            judge.require(
                not wrong.any() or not ((inputs.y - inputs.x).abs() > 0.5)[wrong].all(),
                "points_away_at_the_edge",
                "Where the shorter way from x to y crosses the cell's edge, your target points the other way." + shares,
            )
            judge.require(
                not wrong.any(),
                "points_away",
                "Some of your targets do not point from x to y by the shorter way around the ring." + shares,
            )
            if run in NEAREST:
                check_nearest(judge, run, target)
            actual, expected = float(target.abs().mean()), PUBLIC_TARGETS[run]
            judge.require(
                abs(actual / expected - 1) < ROUNDING,
                f"wrong_{run}" if run in ONE_SIGMA else "wrong_with_many_sigmas",
                f"With little noise your target is right, but with much noise it is {actual / expected:.6g} times the "
                "right one on average. Look at the share of each periodic copy."
                if run in ONE_SIGMA
                else "Your target is right where all samples have the same noise levels. Here each has its own, or the "
                f"batch is small, and it is {actual / expected:.6g} times the right one on average.",
            )
        judge.device()


EXERCISE = Exercise(
    "lab2.consistency",
    points=1,
    title="Scores at two times have to agree",
    names=("consistency_target",),
    probe=probe,
    public=check,
    version=6,
)
