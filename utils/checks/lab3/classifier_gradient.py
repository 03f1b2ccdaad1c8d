"""Exercise 3.4, the gradient of a classifier: `classifier_gradient`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.projections import require_projection
from utils.checks.kits.requirements import require_unchanged
from utils.checks.kits.schedules import MADE_UP_STEPS
from utils.checks.stubs import StubClassifier
from utils.checks.student import Student

CLASSES = 4


@dataclass(frozen=True)
class Run:
    """The form of one call."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    amplitude: float  # of the logits
    no_grad: bool  # called under `torch.no_grad()`
    where: str  # how a message names this run: "(seen …)"


RUNS = {
    "plain": Run((9, 1, 3, 3), torch.float64, 2.0, False, "with gradients switched on"),
    "sampling": Run((9, 1, 3, 3), torch.float64, 2.0, True, "under `torch.no_grad()`"),
    # logits so far apart that a softmax underflows
    "sure": Run((8, 5), torch.float32, 90.0, True, "with a classifier that is very sure of itself"),
    "one": Run((1, 2, 3), torch.float64, 2.0, True, "on a batch of one"),
    "single": Run((6, 1, 3, 2), torch.float32, 2.0, True, "in float32"),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run."""

    classifier: StubClassifier
    x: Tensor  # (b, …)
    t: Tensor  # (b,) steps, integers from 1
    y: Tensor  # (b,) labels

    @classmethod
    def of(cls, challenge: Challenge, name: str, dtype: torch.dtype | None = None) -> Inputs:
        """Return the inputs of a run of `RUNS`.

        Args:
            challenge: Fixes the numbers.
            name: A key of `RUNS`.
            dtype: The dtype of the classifier and of x, if not the run's own.
        """
        run = RUNS[name]
        size = run.shape[:1]
        return cls(
            classifier=StubClassifier(challenge, CLASSES, dtype or run.dtype, mixed=True, amplitude=run.amplitude),
            x=challenge.randn(f"{name} x", run.shape, run.dtype).to(dtype or run.dtype),
            t=challenge.randint(f"{name} t", 1, MADE_UP_STEPS, size),
            y=challenge.randint(f"{name} y", 0, CLASSES, size),
        )


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Call the function with gradients on and off, and record the traces that a call leaves."""
    classifier_gradient = student.function("classifier_gradient", "classifier", "x", "t", "y")
    for name, run in RUNS.items():
        inputs = Inputs.of(challenge, name)
        given = inputs.x, inputs.t, inputs.y
        copies = [value.clone() for value in given]
        with evidence.attempt(name), torch.set_grad_enabled(not run.no_grad):
            evidence.put(f"{name}/value", classifier_gradient(inputs.classifier, *copies))
            evidence.put(f"{name}/mode_kept", torch.is_grad_enabled() is not run.no_grad)
        inputs.classifier.record.report(evidence, f"{name}/classifier")
        evidence.put(f"{name}/inputs_kept", all(map(torch.equal, copies, given)))
        evidence.put(f"{name}/x_marked", copies[0].requires_grad or copies[0].grad is not None)
        evidence.put(f"{name}/parameter_grad", inputs.classifier.gain.grad is not None)
    with evidence.attempt("device"):
        classifier_gradient(*vars(Inputs.of(challenge.on("meta"), "single")).values())


def require_gradient_of_x(judge: Judge, name: str) -> Tensor:
    """Return the gradient of a run; fail unless it has the shape of x and the classifier saw the given x and t."""
    error = judge.evidence.errors.get(name)
    if RUNS[name].no_grad and error and "does not require grad" in str(error.get("message", "")):
        judge.fail(
            "needs_enable_grad",
            "Your function raises under `torch.no_grad()`, which samplers use: without gradients no graph is built. "
            "Open a `with` block inside the function that switches gradients on.",
        )
    value = judge.tensor(f"{name}/value", RUNS[name].shape, f"The gradient (seen {RUNS[name].where})")
    require_same_inputs(judge, name)
    return value


def require_same_inputs(judge: Judge, name: str) -> None:
    """Fail if the classifier was evaluated at another x or t than the given ones."""
    inputs = Inputs.of(judge.challenge, name)
    judge.require(
        judge.value(f"{name}/classifier/count", int) > 0,
        "classifier_not_called",
        "Your function never calls `classifier`.",
    )
    x = judge.tensor(f"{name}/classifier/x", what="The x that the classifier receives")
    t = judge.tensor(f"{name}/classifier/t", what="The t that the classifier receives")
    if x.shape != inputs.x.shape or t.numel() != inputs.t.numel():
        return  # it was called in pieces, or more than once: the values decide
    judge.require(
        not bool((t == 0).all()),
        "time_zero",
        "The classifier always receives t = 0, so it takes noisy inputs for clean ones.",
    )
    judge.require(
        torch.equal(t.reshape(-1).double(), inputs.t.double()),
        "time_differs",
        "The classifier receives another t than the one given to your function.",
    )
    judge.require(
        judge.close(x, inputs.x, 1e-6),
        "other_x",
        "The classifier receives another x than the one given to your function.",
    )


def require_no_traces(judge: Judge, name: str) -> None:
    """Fail if a call left something behind: gradients, a graph, another gradient mode, a changed input."""
    judge.require(
        not judge.value(f"{name}/parameter_grad", bool),
        "parameters_touched",
        "Your call leaves gradients in the classifier's parameters, because `backward()` fills every leaf. "
        "`torch.autograd.grad` returns only the gradients that you ask for.",
    )
    judge.require(
        not judge.evidence.values.get(f"{name}/value.requires_grad"),
        "graph_kept",
        "Your result is still attached to the autograd graph, so memory grows with every step. Detach it.",
    )
    judge.require(
        judge.value(f"{name}/mode_kept", bool),
        "grad_mode_left",
        "After your call, gradients stay switched on or off for all code that follows. "
        "Use a `with` block, which restores the mode at its end.",
    )
    judge.require(
        not judge.value(f"{name}/x_marked", bool),
        "x_marked",
        "After your call the caller's x requires gradients, or has a `.grad`. Work on a detached copy.",
    )
    require_unchanged(judge, f"{name}/inputs_kept")


def check(judge: Judge) -> None:
    """Judge the public challenge by the traces of the calls, and by the projections below."""
    with judge.part("gradient", 3):
        for name in RUNS:
            require_gradient_of_x(judge, name)
            require_no_traces(judge, name)
        for name, run in RUNS.items():
            require_projection(
                judge, name, require_gradient_of_x(judge, name), PROJECTIONS[name],
                ("wrong_gradient", "Your result is not the gradient of log p(y | x, t) of each sample "
                 f"(seen {run.where}). Move one number of x a little, "
                 "and compare the change of log p with your gradient."),
            )  # fmt: skip
        judge.device()


# From the oracle in tests/exercises/lab3: central differences.
PROJECTIONS = {
    "plain": 0.7134418,
    "sampling": -0.1073535,
    "sure": -12.6575196,
    "one": 0.2941158,
    "single": -0.2487515,
}

EXERCISE = Exercise(
    "lab3.classifier_gradient",
    points=3,
    title="Which way to the class?",
    names=("classifier_gradient",),
    probe=probe,
    public=check,
    version=2,
)
