"""Exercise 1.6: one guided step of the reverse equation towards the data."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.same_answer import require_given_noise, require_layout_ignored, strided
from utils.checks.student import Student
from utils.vp import T_MIN

SCALES = {"w0": 0.0, "w1": 1.0, "w3": 3.0, "whalf": 0.5, "wnegative": -1.0, "w8": 8.0}  # run: w; elsewhere w is random


@dataclass(frozen=True)
class Sizes:
    """The shape and the dtype of x in one run, and what is special about it, for messages."""

    shape: tuple[int, int, int]
    where: str
    dtype: torch.dtype = torch.float64


RUNS = {
    "equal": Sizes((10, 4, 2), "where both scores are the same"),
    **{run: Sizes((10, 4, 2), f"at w = {w:g}") for run, w in SCALES.items()},
    "last": Sizes((6, 4, 2), "where the step ends at the last time"),
    "one": Sizes((1, 5, 1), "in a batch of one"),
    "single": Sizes((6, 3, 1), "in float32", torch.float32),
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
        if run == "last":
            h = t - T_MIN
            h[0] = t[0]
        score = challenge.randn(f"{run} score", shape, dtype)
        return cls(
            x=challenge.randn(f"{run} x", shape, dtype),
            t=t,
            h=h,
            score=score,
            class_score=score.clone() if run == "equal" else challenge.randn(f"{run} class score", shape, dtype),
            w=SCALES.get(run, challenge.number("w", 1.5, 2.5)),
            noise=challenge.randn(f"{run} noise", shape, dtype),
        )

    def arguments(self) -> dict[str, Tensor | float]:
        """Return the arguments by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def tensors(self) -> dict[str, Tensor]:
        """Return the arguments that are tensors, by name."""
        return {name: value for name, value in self.arguments().items() if isinstance(value, Tensor)}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call `guided_step` in every run, twice with the same inputs, on strided inputs, and on the meta device."""
    guided_step = student.function("guided_step", "x", "t", "h", "score", "class_score", "w", "noise")
    for run in RUNS:
        inputs = Inputs.of(challenge, run)
        copies = {name: tensor.clone() for name, tensor in inputs.tensors().items()}
        with evidence.attempt(run):
            evidence.put(f"{run}/value", guided_step(**inputs.arguments() | copies))
        kept = all(torch.equal(copies[name], tensor) for name, tensor in inputs.tensors().items())
        evidence.put(f"{run}/inputs_kept", kept)
    with evidence.attempt("again"):
        evidence.put("again/value", guided_step(**Inputs.of(challenge, "equal").arguments()))
    with evidence.attempt("strided"):
        inputs = Inputs.of(challenge, "w3")
        apart = {name: strided(tensor) for name, tensor in inputs.tensors().items()}
        evidence.put("strided/value", guided_step(**inputs.arguments() | apart))
    with evidence.attempt("device"):
        guided_step(**Inputs.of(challenge.on("meta"), "single").arguments())


def require_states(judge: Judge) -> dict[str, Tensor]:
    """Return the new x of every run; fail unless they have the right shapes and use the given noise."""
    states = {run: judge.tensor(f"{run}/value", sizes.shape, "The new x") for run, sizes in RUNS.items()}
    require_given_noise(judge, states["equal"], judge.tensor("again/value", RUNS["equal"].shape, "The new x"))
    return states


def check(judge: Judge) -> None:
    """Check the requirements and the public numbers."""
    with judge.part("step", 3):
        states = require_states(judge)
        for run in RUNS:
            require_unchanged(judge, f"{run}/inputs_kept")
        for run, number in PUBLIC_NUMBERS.items():
            directions = judge.challenge.randn(f"{run} step probe", RUNS[run].shape)
            if abs(float((states[run] * directions).mean()) - number) < 1e-5:
                continue
            if run == "equal":
                judge.fail(
                    "wrong_step",
                    "Your step is wrong already where both scores are the same, so that w should play no part. "
                    "Set w, the noise and both scores to 0: what must be left is x (1 + beta h / 2). "
                    "Then put them back one by one.",
                )
            judge.fail(
                "wrong_guidance",
                f"Your step is right for two equal scores, but not {RUNS[run].where}. "
                "At w = 0 only `score` may count, at w = 1 only `class_score`.",
            )
        require_layout_ignored(judge, "w3")
        judge.device()


# The mean of the new x times random directions on the public challenge. An oracle writes down drift and diffusion of
# the reverse equation separately. tests/exercises/lab1 computes the numbers again.
PUBLIC_NUMBERS = {
    "equal": 0.2741072,
    "w0": -0.1765880,
    "w1": 0.4438068,
    "w3": -1.0373638,
    "whalf": -0.3937689,
    "wnegative": 0.0497089,
    "w8": 1.8525063,
    "last": 3.7756375,
    "one": -1.3773855,
    "single": -0.0468722,
}

EXERCISE = Exercise(
    "lab1.guided_step",
    points=3,
    title="One guided step towards the data",
    version=3,
    names=("guided_step",),
    probe=probe,
    public=check,
)
