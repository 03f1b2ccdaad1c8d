"""Exercise 2.4, public half: one step of the predictor, one of the corrector."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from utils.atoms import SIGMA_MAX, SIGMA_MIN
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.inputs import same_tensors
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.ring import on_ring, require_given_noise, require_in_cell
from utils.checks.kits.same_answer import alike, require_alike
from utils.checks.lab2.reused_inputs import ReusedTensors, require_nothing_kept, require_result_stays
from utils.checks.student import Student

RUNS = {
    # run: shape of x, dtype
    "main": ((40, 2), torch.float64),
    "second": ((40, 2), torch.float64),
    "wide": ((4, 4), torch.float64),  # as many samples as atoms
    "last": ((6, 2), torch.float64),  # to the lab's least noise, or to none at all, with the scores that occur there
    "shared": ((7, 2), torch.float64),  # expanded sigmas and steps, as the lab's sampler passes them
    "one": ((1, 2), torch.float64),
    "above": ((9, 2), torch.float64),  # states leave the cell at 1 only: a wrap may depend on the whole batch
    "below": ((9, 1), torch.float64),  # states leave the cell at 0 only
    "single": ((12, 2), torch.float32),
    "last_single": ((6, 2), torch.float32),
}
ONE_SIDED = {"above": 1.0, "below": -1.0}  # the sign of all scores and all noise of a run
ALIKE = 0, 1  # rows of the run `last`, to no noise and to the least noise, of which batches of copies are made
LARGEST_SCORE = 5000.0  # of the lab: half a ring over the variance of data and least noise
NO_LIMIT = 2 * LARGEST_SCORE  # a network's score may be larger than the exact one
SMALL_STEPS = 1 / 200  # the share of time of the lab's shortest predictor steps
LAST_REUSED = "second"  # a run with the tensors of an earlier one
RATIO = 0.12  # of the lab's sampler: its corrector steps have the size (RATIO sigma)² / 2
ARGUMENTS = {
    "predictor": ("x", "score", "sigma", "sigma_next", "noise"),
    "corrector": ("x", "score", "step", "noise"),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run of either step, all fixed by the challenge. Steps leave the cell on both sides."""

    x: Tensor  # (b, n) states
    score: Tensor  # (b, n)
    sigma: Tensor  # (b, 1)
    sigma_next: Tensor  # (b, 1), below sigma; in `last` the lab's least noise, or none at all
    step: Tensor  # (b, 1) size of the corrector's step
    noise: Tensor  # (b, n)

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Draw the inputs of a run."""
        shape, dtype = RUNS[run]
        later = challenge.rand(f"{run} later", (shape[0], 1), 0.05, 0.3, dtype)
        gap = challenge.rand(f"{run} gap", (shape[0], 1), 0.05, 0.3, dtype)
        step = challenge.rand(f"{run} step", (shape[0], 1), 0.01, 0.1, dtype)
        score = 4 * challenge.randn(f"{run} score", shape, dtype)
        if shape[0] > 2:  # one of the last steps, with little noise left
            later[0], gap[0] = later[0] / 10, gap[0] / 10
        if run.startswith("last"):
            later = torch.full_like(later, SIGMA_MIN)
            gap = later * ((SIGMA_MAX / SIGMA_MIN) ** SMALL_STEPS - 1)
            later[0], gap[0] = 0.0, 0.02
            score, step = score * LARGEST_SCORE / 8, torch.full_like(step, (RATIO * SIGMA_MIN) ** 2 / 2)
            score = score.clamp(-LARGEST_SCORE, LARGEST_SCORE)
            score[1] = NO_LIMIT
        x, noise = challenge.rand(f"{run} x", shape, dtype=dtype), challenge.randn(f"{run} noise", shape, dtype)
        if shape[0] > 2:
            x[0, 0], x[1, -1] = 2e-5, 1 - 1e-5
            noise[0, 0], noise[1, -1] = 4.5, -4.5
            score[2, 0] = 15.0  # beyond a limit of 10
        if run in ONE_SIDED:
            score, noise = ONE_SIDED[run] * score.abs(), ONE_SIDED[run] * noise.abs()
        sigma = later + gap
        if run == "shared":
            sigma, later, step = (value[:1].expand(shape[0], 1) for value in (sigma, later, step))
        return cls(
            x=x,
            score=score,
            sigma=sigma,
            sigma_next=later,
            step=step,
            noise=noise,
        )

    def arguments(self, name: str) -> list[Tensor]:
        """Return what `predictor_step` or `corrector_step` is called with."""
        return [getattr(self, argument) for argument in ARGUMENTS[name]]


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Take every step once, two twice, and some without score, without noise and without both."""
    for name in ARGUMENTS:
        with evidence.attempt(f"{name}_found"):
            student.function(f"{name}_step", *ARGUMENTS[name])
        shared, returned = ReusedTensors(), {}
        for run in RUNS:
            inputs, given = Inputs.of(challenge, run), shared.filled(Inputs.of(challenge, run))
            attempt, arguments = f"{name}_{run}", given.arguments(name)
            gradients = torch.no_grad() if run == "shared" else contextlib.nullcontext()
            watched = dict(zip(ARGUMENTS[name], arguments, strict=True))
            with evidence.attempt(attempt), gradients, watching(evidence, attempt, **watched):
                returned[run] = student[f"{name}_step"](*arguments)
                evidence.put(f"{attempt}/state", returned[run])
            evidence.put(f"{attempt}/inputs_kept", same_tensors(given, inputs))
        with evidence.attempt(f"{name}_later"):
            evidence.put(f"{name}_later/state", returned.get("main"))
        for run, term in {"still": STILL, **TERMS, **EDGES}.items():
            with evidence.attempt(f"{name}_{run}"), watching(evidence, f"{name}_{run}"):
                evidence.put(f"{name}_{run}/state", student[f"{name}_step"](*term.inputs.arguments(name)))
        # The same inputs in new tensors: does the step draw noise of its own, or keep something of a tensor?
        for again, run in {"again": "main", "new": LAST_REUSED}.items():
            with evidence.attempt(f"{name}_{again}"), watching(evidence, f"{name}_{again}"):
                given = Inputs.of(challenge, run)
                evidence.put(f"{name}_{again}/state", student[f"{name}_step"](*given.arguments(name)))
        for row in ALIKE:
            with evidence.attempt(f"{name}_alike{row}"), watching(evidence, f"{name}_alike{row}"):
                copies = [alike(value, row) for value in Inputs.of(challenge, "last").arguments(name)]
                evidence.put(f"{name}_alike{row}/state", student[f"{name}_step"](*copies))
        with other_device(evidence, challenge, f"{name}_device") as there:
            given = Inputs.of(there, "single")
            put_device(evidence, student[f"{name}_step"](*given.arguments(name)), f"{name}_device")


@dataclass(frozen=True)
class Term:
    """A step with the same inputs everywhere, and of which one term is left at most."""

    x: float = 0.5  # far from the cell's edge
    score: float = 0.0
    noise: float = 0.0
    sigma: float = 0.5
    sigma_next: float = 0.3
    step: float = 0.08

    def levels(self, name: str) -> str:
        """Return what a message says of the noise levels or of the size of a step."""
        return f"sigma = {self.sigma}, sigma_next = {self.sigma_next}" if name == "predictor" else f"step = {self.step}"

    @property
    def inputs(self) -> Inputs:
        """The inputs of three samples."""
        values = torch.tensor(
            [self.x, self.score, self.sigma, self.sigma_next, self.step, self.noise], dtype=torch.float64
        )
        x, score, sigma, sigma_next, step, noise = (value.repeat(3, 1) for value in values)
        return Inputs(x.repeat(1, 2), score.repeat(1, 2), sigma, sigma_next, step, noise.repeat(1, 2))


LEAST = {"sigma": 0.001025, "sigma_next": SIGMA_MIN, "step": 7.2e-9}  # as small as the lab's last steps
STILL = Term()
TERMS = {
    "drift": Term(score=0.1),
    "width": Term(noise=0.1),
    "least_drift": Term(score=LARGEST_SCORE, **LEAST),
    "least_width": Term(noise=1.0, **LEAST),
}
# Steps that multiply the noise by 0.3 and go around the ring about twenty times, with the place where they end.
FAR = {"sigma_next": 0.4, "step": 0.045}
EDGES = {"at_1": Term(x=0.9, noise=67.3, **FAR), "at_0": Term(x=0.1, noise=-67.3, **FAR)}
ENDS = {"at_1": 0.09, "at_0": 0.91}


def require_state(judge: Judge, name: str, run: str) -> Tensor:
    """Return the new state of a step, (b, n) in float64.

    Fails unless it is finite and has the shape of x, and the inputs are unchanged.
    """
    x = Inputs.of(judge.challenge, run).x
    state = judge.tensor(f"{name}_{run}/state", x.shape, "The new state", finite=False)
    judge.require(
        torch.isfinite(state).all(),
        "not_finite",
        f"The new state of your {name} contains NaN or infinity. Do you take the root of a negative number? "
        "sigma is larger than sigma_next.",
    )
    require_unchanged(judge, f"{name}_{run}/inputs_kept")
    return state


def require_states(judge: Judge, name: str) -> dict[str, Tensor]:
    """Return the new states of a step by run. Fails, too, if a run leaves something behind."""
    judge.attempt(f"{name}_found")
    states = {run: require_state(judge, name, run) for run in RUNS}
    require_nothing_left(judge, [f"{name}_{run}" for run in (*RUNS, "still", *TERMS, *EDGES)])
    require_result_stays(judge, f"{name}_main/state", f"{name}_later/state", f"{name}_step")
    return states


def require_repeatable(judge: Judge, name: str) -> None:
    """Fail if two steps with the same noise led to different states."""
    first, again = (judge.tensor(f"{name}_{run}/state", what="The new state") for run in ("main", "again"))
    require_given_noise(judge, first, again, f"your {name}")


def require_samples_apart(judge: Judge, name: str) -> None:
    """Fail if a sample gets another new state in a batch of its copies."""
    whole = judge.tensor(f"{name}_last/state", what="The new state")
    for row in ALIKE:
        require_alike(judge, f"{name}_alike{row}/state", whole, row, f"{name}_step")


# `mean_wave` after a step on the public challenge, by NumPy in float64:
# tests/exercises/lab2/test_predictor_corrector.py makes these numbers again.
PUBLIC_STEPS = {
    ("predictor", "main"): 0.0685963,
    ("predictor", "second"): -0.1461420,
    ("predictor", "wide"): 0.0963817,
    ("predictor", "last"): 0.0960236,
    ("predictor", "shared"): 0.0356163,
    ("predictor", "one"): -0.7927342,
    ("predictor", "above"): 0.0485938,
    ("predictor", "below"): -0.2019319,
    ("predictor", "single"): 0.0898631,
    ("predictor", "last_single"): -0.1537030,
    ("corrector", "main"): -0.0479434,
    ("corrector", "second"): -0.0535105,
    ("corrector", "wide"): -0.1378063,
    ("corrector", "last"): 0.1579253,
    ("corrector", "shared"): 0.2272484,
    ("corrector", "one"): -0.8936229,
    ("corrector", "above"): -0.0043249,
    ("corrector", "below"): 0.1210281,
    ("corrector", "single"): -0.0273402,
    ("corrector", "last_single"): -0.2371443,
}
TOLERANCE = 1e-4  # a step that is right to the precision of float32 is right
PLACE_ROUNDING = 1e-7  # of a place on the ring in float32
# What these steps multiply the score and the noise by, by hand.
KNOWN_FACTORS = {
    ("predictor", "drift"): 0.16,
    ("predictor", "width"): 0.4,
    ("predictor", "least_drift"): 5.0625e-8,
    ("predictor", "least_width"): 2.25e-4,
    ("corrector", "drift"): 0.08,
    ("corrector", "width"): 0.4,
    ("corrector", "least_drift"): 7.2e-9,
    ("corrector", "least_width"): 1.2e-4,
}


# Factors that are a standard deviation instead of a variance, or the other way round.
WIDTH_OR_VARIANCE = {
    ("predictor", "drift"): (0.4,),
    ("predictor", "width"): (0.16,),
    ("corrector", "drift"): (0.4, math.sqrt(0.08)),
    ("corrector", "width"): (0.16, 0.08),
}
DIFFERENCE_OF_WIDTHS = (0.2, 0.04)  # and its square, in the predictor
DERIVATION = {
    ("predictor", "drift"): "Derive the mean of the state before the noise, and compare.",
    ("predictor", "width"): "How much noise was added between the two levels?",
    ("corrector", "drift"): "Compare it with the drift in the text.",
    ("corrector", "width"): "For which noise do the two changes of the density cancel?",
}


def hint(name: str, run: str, factor: float) -> str:
    """Return a sentence that leads on from a wrong factor of a term."""
    if run.startswith("least"):
        return "In a larger step it is right."
    if any(math.isclose(factor, wrong, rel_tol=1e-3) for wrong in WIDTH_OR_VARIANCE[name, run]):
        return "Is its factor a variance or a standard deviation?"
    if name == "predictor" and any(math.isclose(factor, wrong, rel_tol=1e-3) for wrong in DIFFERENCE_OF_WIDTHS):
        return "Which may be subtracted, variances or standard deviations?"
    return DERIVATION[name, run]


def require_term(judge: Judge, name: str, run: str) -> None:
    """Compare one term of a step, in size and sign."""
    state, term = judge.tensor(f"{name}_{run}/state", (3, 2), "The new state"), TERMS[run]
    size, factor = max(term.score, term.noise), KNOWN_FACTORS[name, run]
    moved, expected = float((state - term.x).mean()), factor * size
    ratio = moved / expected
    what = f"a score of {term.score:g}" if term.score else "the noise"
    if abs(moved - expected) < TOLERANCE * expected + PLACE_ROUNDING:
        return
    seen = f"With {term.levels(name)} and {what} alone, "
    if abs(ratio) < TOLERANCE:
        judge.fail(f"{name}_{run}_missing", f"{seen}your {name} does not move the atoms.")
    if ratio < 0:
        judge.fail(f"{name}_{run}_sign", f"{seen}your {name} moves the atoms in the wrong direction.")
    code = (
        "far_too_large" if ratio > 2 else "too_large" if ratio > 1 else "too_small" if ratio > 0.5 else "far_too_small"
    )
    judge.fail(
        f"{name}_{run}_{code}",
        f"{seen}your {name} moves the atoms by {ratio:.6g} times the right distance. {hint(name, run, moved / size)}",
    )


def require_no_mirror(judge: Judge, name: str) -> None:
    """Fail if an atom that leaves the cell comes back as its mirror image."""
    for run, end in ENDS.items():
        state = judge.tensor(f"{name}_{run}/state", (3, 2), "The new state")
        judge.require(
            (on_ring(state - (1 - end)).abs() > TOLERANCE).any(),
            f"{name}_mirrors",
            f"Atoms that leave the cell {run.replace('_', ' ')} do not go on around the ring in your {name}: their "
            "way is mirrored, as by a wall. A ring has no edge.",
        )


def require_terms(judge: Judge, name: str) -> None:
    """Compare the terms of a step, one by one, and the places where large ones lead on the ring."""
    for run in TERMS:
        require_term(judge, name, run)
    require_no_mirror(judge, name)
    for run, end in ENDS.items():
        state, term = judge.tensor(f"{name}_{run}/state", (3, 2), "The new state"), EDGES[run]
        require_in_cell(judge, state, f"With noise of {term.noise:g}, the new state of your {name}")
        judge.require(
            (on_ring(state - end).abs() < TOLERANCE).all(),
            f"{name}_{run}_wrong",
            f"With {term.levels(name)} and noise of {term.noise:g} alone, your {name} leads to a wrong place. "
            "Does it depend on how much noise there is, or on an earlier call?",
        )


def mean_wave(challenge: Challenge, run: str, state: Tensor) -> float:
    """Return the mean of cos(2 pi (state - phase)), where each place has a random phase: mirror images differ, too."""
    return float(torch.cos(2 * math.pi * (state - challenge.rand(f"{run} phases", tuple(state.shape)))).mean())


def check_steps(judge: Judge, name: str) -> None:
    """Test the known properties of one of the two steps, and compare its states with the numbers of the oracle."""
    states = require_states(judge, name)
    require_repeatable(judge, name)
    require_nothing_kept(judge, f"{name}_{LAST_REUSED}/state", f"{name}_new/state", f"{name}_step")
    still = judge.tensor(f"{name}_still/state", (3, 2), "The new state")
    judge.require(
        judge.close(still, torch.full_like(still, 0.5)),
        "moves_by_itself",
        f"With no score and no noise your {name} moves the atoms.",
    )
    for state in states.values():
        require_in_cell(judge, state, f"The new state of your {name}")
    require_terms(judge, name)
    for run, state in states.items():
        judge.require(
            int(((state == 0) | (state == 1)).sum()) < 2,
            "walls",
            f"Several atoms end at 0 or at 1 exactly, where your {name} seems to stop them. A ring has no edge: an "
            "atom that leaves at 1 comes back at 0.",
        )
        judge.require(
            abs(mean_wave(judge.challenge, run, state) - PUBLIC_STEPS[name, run]) < TOLERANCE / 10,
            f"wrong_last_{name}_step" if run.startswith("last") else f"wrong_{name}_step",
            f"Given a score of up to {float(Inputs.of(judge.challenge, run).score.abs().max()):.3g}, your {name} leads "
            "to another state than the formula, although each term alone is right where all samples have the same "
            "inputs. Is something limited, or shared by the samples?",
        )
    require_samples_apart(judge, name)
    judge.device(f"{name}_device")


def check(judge: Judge) -> None:
    """Check both steps on the public challenge."""
    with judge.part("predictor", 2):
        check_steps(judge, "predictor")
    with judge.part("corrector", 1):
        check_steps(judge, "corrector")


EXERCISE = Exercise(
    "lab2.predictor_corrector",
    points=3,
    title="Predictor and corrector",
    names=("predictor_step", "corrector_step"),
    probe=probe,
    public=check,
    version=9,
)
