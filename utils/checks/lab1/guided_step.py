"""Exercise 1.6: one guided step of the reverse equation towards the data."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.kits.other_device import other_device, put_device
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import (
    alike,
    require_alike,
    require_given_noise,
    require_layout_ignored,
    require_own_rows,
    strided,
)
from utils.checks.student import Student
from utils.vp import T_MIN

FAR, RARE = 26.0, 5.5  # x and the noise go so far in the lab's own sampler
SCALES = {
    "w0": 0.0,
    "w1": 1.0,
    "w3": 3.0,
    "wpart": 0.37,
    "wnegative": -50.0,
    "w200": 200.0,
}  # run: w; elsewhere w is random


@dataclass(frozen=True)
class Sizes:
    """The shape and the dtype of x in one run, and what is special about it, for messages."""

    shape: tuple[int, int, int]
    where: str
    dtype: torch.dtype = torch.float64


RUNS = {
    "equal": Sizes((10, 4, 2), "where both scores are the same"),
    **{run: Sizes((10, 4, 2), f"at w = {w:g}") for run, w in SCALES.items()},
    "last": Sizes((6, 4, 2), "where each step ends at t = 0.001, or at t = 0"),
    "one": Sizes((1, 5, 1), "in a batch of one"),
    "single": Sizes((6, 3, 1), "in float32", torch.float32),
    "sizes": Sizes((4, 4, 4), "where b, sites and d are all 4"),
}


ALIKE = 1, 2  # rows of the lab's first step and of its last one, of which batches of copies are made
LARGE = 30_000.0  # a score: at t = 0.001, sigma² is 0.00011
SIZE = 0.3  # of what is not 0 in TERMS: a number that half precision rounds
KICKS_AT = {"unguided_kick": 0.0, "conditional_kick": 1.0, "guided_kick": 2.5}  # name in TERMS: w
# name: x, both scores and the noise in units of SIZE, and what to look at
TERMS = {
    "drift": (
        (1.0, 0.0, 0.0),
        f"Set both scores and the noise to 0, and x to {SIZE}: what is left is x (1 + beta(t) h / 2).",
    ),
    "kick": (
        (0.0, 0.0, 1.0),
        f"Set x and both scores to 0, and the noise to {SIZE}: what is left is the step's noise.",
    ),
    "pull": (
        (0.0, 1.0, 0.0),
        f"Set x and the noise to 0, and both scores to {SIZE}: the guided score is {SIZE}, too.",
    ),
    **{
        name: (
            (0.0, 0.0, 1.0),
            f"Set w to {w:g}, x and both scores to 0, and the noise to {SIZE}: what is left is the step's noise. "
            "At w = 0.5 yours is right.",
        )
        for name, w in KICKS_AT.items()
    },
    "last_kick": (
        (0.0, 0.0, 1.0),
        f"In the lab's last step, from t = 0.0015 to t = 0.001, set x and both scores to 0, and the noise to {SIZE}: "
        "what is left is the step's noise.",
    ),
    "whole_kick": (
        (0.0, 0.0, 1.0),
        f"In one step from t = 1 to t = 0, set x and both scores to 0, and the noise to {SIZE}: "
        "what is left is the step's noise.",
    ),
    "large_pull": (
        (0.0, LARGE / SIZE, 0.0),
        f"In the lab's last step, from t = 0.0015 to t = 0.001, set x and the noise to 0, and both scores to "
        f"{LARGE:g}: the guided score is as large. Near the data scores have such sizes.",
    ),
}
TERMS_AT = {  # t, h and w, where they are not 0.3, 0.05 and 0.5
    **{name: (0.3, 0.05, w) for name, w in KICKS_AT.items()},
    "last_kick": (0.0015, 0.0005, 0.5),
    "large_pull": (0.0015, 0.0005, 0.5),
    "whole_kick": (1.0, 1.0, 0.5),
}


@dataclass(frozen=True)
class Inputs:
    """The arguments of one step, all fixed by the challenge. Every sample has a time and a step size of its own.

    In the run `equal` both scores are the same, so that w plays no part. In `last` the step ends where sampling ends,
    or at the data.
    """

    x: Tensor  # (b, sites, d), as both scores and the noise
    t: Tensor  # (b, 1, 1)
    h: Tensor  # (b, 1, 1)
    score: Tensor
    class_score: Tensor
    w: float
    noise: Tensor

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return random arguments of one step."""
        shape, dtype = RUNS[run].shape, RUNS[run].dtype
        t = challenge.rand(f"{run} times", (shape[0], 1, 1), 0.05, 1.0, dtype=dtype)
        h = t * challenge.rand(f"{run} h", (shape[0], 1, 1), 0.02, 0.2, dtype=dtype)
        if shape[0] > 2:  # the lab's first step, and its last one
            t[1], h[1], t[2], h[2] = 1.0, 0.005, 0.0015, 0.0005
        if run == "last":
            h = t - T_MIN
            h[0] = t[0]
        score = challenge.randn(f"{run} score", shape, dtype)
        score[2:3] *= 1000  # near the data scores are that large
        x, noise = (challenge.randn(f"{run} {name}", shape, dtype) for name in ("x", "noise"))
        if shape[0] > 3:
            x[3, 0, 0], x[3, 1, 0], noise[3, 0, 0], noise[3, 1, 0] = FAR, -FAR, -RARE, RARE
        return cls(
            x=x,
            t=t,
            h=h,
            score=score,
            class_score=score.clone() if run == "equal" else challenge.randn(f"{run} class score", shape, dtype),
            w=SCALES.get(run, between_halves(challenge.number("w", 1.5, 2.5))),
            noise=noise,
        )

    def arguments(self) -> dict[str, Tensor | float]:
        """Return the arguments by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def tensors(self) -> dict[str, Tensor]:
        """Return the arguments that are tensors, by name."""
        return {name: value for name, value in self.arguments().items() if isinstance(value, Tensor)}


def between_halves(w: float) -> float:
    """Return a near number that is half-way between two of half precision, so that rounding to it shows."""
    return round(w * 1024) / 1024 + 1 / 2048


def term_arguments(name: str) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, float, Tensor]:
    """Return the arguments of `guided_step` of one case of TERMS: one sample of one number."""
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    x, score, noise = (SIZE * part * one for part in TERMS[name][0])
    t, h, w = TERMS_AT.get(name, (0.3, 0.05, 0.5))
    return x, t * one, h * one, score, score.clone(), w, noise


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call `guided_step` in every run, twice with the same inputs, on strided inputs, and on another device."""
    guided_step = student.function("guided_step", "x", "t", "h", "score", "class_score", "w", "noise")
    for run in RUNS:
        inputs = Inputs.of(challenge, run)
        copies = {name: tensor.clone() for name, tensor in inputs.tensors().items()}
        with evidence.attempt(run), watching(evidence, run, **copies):
            evidence.put(f"{run}/value", guided_step(**inputs.arguments() | copies))
        kept = all(torch.equal(copies[name], tensor) for name, tensor in inputs.tensors().items())
        evidence.put(f"{run}/inputs_kept", kept)
        if run == "w3":
            with evidence.attempt("backwards"):  # in the same tensors, so that a value kept under their name shows
                for name, tensor in inputs.tensors().items():
                    copies[name].copy_(tensor.flip(0))
                evidence.put("backwards/value", guided_step(**inputs.arguments() | copies))
    for name in TERMS:
        with evidence.attempt(name):
            arguments = term_arguments(name)
            new = guided_step(*arguments)
            evidence.put(f"{name}/value", new - arguments[0] if isinstance(new, Tensor) else new)
    with evidence.attempt("again"):
        evidence.put("again/value", guided_step(**Inputs.of(challenge, "equal").arguments()))
    with evidence.attempt("strided"):
        inputs = Inputs.of(challenge, "w3")
        apart = {name: strided(tensor) for name, tensor in inputs.tensors().items()}
        evidence.put("strided/value", guided_step(**inputs.arguments() | apart))
    for row in ALIKE:
        with evidence.attempt(f"alike{row}"), watching(evidence, f"alike{row}"):
            inputs = Inputs.of(challenge, "w3")
            copies = {name: alike(tensor, row) for name, tensor in inputs.tensors().items()}
            evidence.put(f"alike{row}/value", guided_step(**inputs.arguments() | copies))
    with other_device(evidence, challenge) as there:
        put_device(evidence, guided_step(**Inputs.of(there, "single").arguments()))


def require_samples_apart(judge: Judge, states: dict[str, Tensor]) -> None:
    """Fail if a sample gets another new x in a batch of its copies, or in a batch in reverse order."""
    backwards = judge.tensor("backwards/value", RUNS["w3"].shape, "The new x")
    require_own_rows(judge, states["w3"], backwards, "guided_step")
    for row in ALIKE:
        require_alike(judge, f"alike{row}/value", states["w3"], row, "guided_step")


def require_states(judge: Judge) -> dict[str, Tensor]:
    """Return the new x of every run; fail unless they have the right shapes and use the given noise."""
    for run in RUNS:
        judge.attempt(run)
    require_nothing_left(judge, RUNS)
    states = {run: judge.tensor(f"{run}/value", sizes.shape, "The new x", finite=False) for run, sizes in RUNS.items()}
    for run, state in states.items():
        judge.require(
            bool(state.isfinite().all()),
            "not_finite",
            f"The new x contains NaN or infinity (seen {RUNS[run].where}). In the batches beta(t) h goes up to 20. "
            "Look for a division by zero, or a root of a negative number.",
        )
    require_given_noise(judge, states["equal"], judge.tensor("again/value", RUNS["equal"].shape, "The new x"))
    return states


WRONG_BOTH = (
    "wrong_elsewhere",
    "Your step is right for one sample at t = 0.3, but wrong in a batch in which each sample has its own t and h. "
    "These go from the first step, at t = 1, to the last one, which ends at t = 0.001.",
)


def wrong_guidance(run: str) -> tuple[str, str]:
    """Return code and message for a step that goes wrong where the two scores differ."""
    where = f"Your step is right for two equal scores, but not {RUNS[run].where}. "
    if run == "w0":
        return "wrong_at_w0", f"{where}There only `score` may count."
    if run == "w1":
        return "wrong_at_w1", f"{where}There only `class_score` may count."
    if run not in SCALES:
        return (
            "wrong_special",
            f"Your step is right at w = 0, 1, 3 and other scales, but not {RUNS[run].where}. "
            "What does your code treat differently there?",
        )
    if run != "w3":
        return (
            "scale_altered",
            f"Your step is right at w = 0, 1 and 3, but not {RUNS[run].where}. Use w as it is given.",
        )
    return "wrong_guidance", f"{where}It is right at w = 0 and at w = 1; in between and beyond it is a straight line."


def require_terms(judge: Judge) -> None:
    """Fail unless the step is right without scores: first without noise, and then with it."""
    for name, expected in PUBLIC_TERMS.items():
        value = judge.tensor(f"{name}/value", (1, 1, 1), "The new x")
        ratio = float(value) / expected
        message = f"{TERMS[name][1]} x changes by {ratio:.7g} times what is right."
        judge.require(abs(ratio) > 1e-9, f"{name}_missing", message)
        judge.require(ratio > 0, f"{name}_reversed", message)
        judge.require(ratio > 1 - 1e-5, f"{name}_too_small", message)
        judge.require(ratio < 1 + 1e-5, f"{name}_too_large", message)


def check(judge: Judge) -> None:
    """Check the requirements and the public numbers."""
    with judge.part("step", 3):
        states = require_states(judge)
        for run in RUNS:
            require_unchanged(judge, f"{run}/inputs_kept")
        require_samples_apart(judge, states)  # first, because mixed samples give wrong numbers, too
        require_terms(judge)
        for run, number in PUBLIC_NUMBERS.items():
            directions = judge.challenge.randn(f"{run} step probe", RUNS[run].shape)
            error = abs(float((states[run] * directions).mean()) - number)
            if not error < 2e-6 * max(1.0, float(states[run].abs().mean())):
                judge.fail(*(WRONG_BOTH if run == "equal" else wrong_guidance(run)))
        require_layout_ignored(judge, "w3")
        judge.device()


# The change of x in each case of TERMS.
PUBLIC_TERMS = {
    "drift": 0.045525,
    "kick": 0.165272502,
    "pull": 0.09105,
    "unguided_kick": 0.165272502,
    "conditional_kick": 0.165272502,
    "guided_kick": 0.165272502,
    "last_kick": 0.00241728153,
    "whole_kick": 1.34164079,
    "large_pull": 1.94775,
}

# The mean of the new x times random directions on the public challenge. An oracle writes down drift and diffusion of
# the reverse equation separately. tests/exercises/lab1 computes the numbers again.
PUBLIC_NUMBERS = {
    "equal": 0.2604177,
    "w0": -0.3837711,
    "w1": 0.3822122,
    "w3": 0.7272483,
    "wpart": 0.7776467,
    "wnegative": 2.2561877,
    "w200": -3.3989763,
    "last": 3.1871164,
    "one": -1.3774496,
    "single": 1.7034663,
    "sizes": 0.5575460,
}

EXERCISE = Exercise(
    "lab1.guided_step",
    points=3,
    title="One guided step towards the data",
    version=10,
    names=("guided_step",),
    probe=probe,
    public=check,
)
