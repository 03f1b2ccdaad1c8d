"""Exercise 4.3: the guided velocity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import Exercise
from utils.checks.judging import Judge
from utils.checks.kits.label_dropout import draw_null_label
from utils.checks.stubs import RandomField, StubModel
from utils.checks.student import Student

SCALES = {"w0": 0.0, "w1": 1.0, "w2": 2.0, "whalf": 0.5, "wlarge": 100.0, "wnegative": -1.5}
RUNS = {
    # run: shape of x without the batch, dtype, batch size
    **{run: ((1, 3, 2), torch.float64, 12) for run in SCALES},
    "random": ((1, 3, 2), torch.float64, 12),
    "one": ((1, 3, 2), torch.float64, 1),
    "wide": ((3, 2, 5), torch.float64, 7),
    "single": ((1, 2, 2), torch.float32, 5),
}

# The mean of drift times `drift_probe` on the public challenge. An oracle made the numbers: it guides the score of the
# straight path, in float64. tests/exercises/lab4/test_cfg_drift.py computes them again.
PUBLIC_DRIFTS = {
    "w0": -0.0730024,
    "w1": -0.1271571,
    "w2": -0.1917663,
    "whalf": -0.1283108,
    "wlarge": -4.9048384,
    "wnegative": -0.2369395,
    "random": 0.1397269,
    "one": -1.0100427,
    "wide": 0.2306289,
    "single": -1.2882225,
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge."""

    x: Tensor  # (b, c, h, w)
    t: Tensor  # (b, 1, 1, 1)
    y: Tensor  # (b,) labels, one of them null in batches of more than 4
    w: float  # the guidance scale
    null_label: int

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS`."""
        shape, dtype, batch = RUNS[run]
        classes = challenge.integer("classes", 4, 8)
        null_label = draw_null_label(challenge, classes)
        x = challenge.randn(f"{run} x", (batch, *shape), dtype)
        t = challenge.rand(f"{run} t", (batch, 1, 1, 1), dtype=dtype)
        y = challenge.randint(f"{run} y", 1, classes, (batch,))
        if batch > 4:
            y[3] = null_label
        w = SCALES.get(run, challenge.number(f"{run} w", 1.5, 4.0))
        return cls(x, t, y, w, null_label)

    @property
    def null(self) -> Tensor:
        """The null label for every sample, (b,)."""
        return torch.full_like(self.y, self.null_label)

    def tensors(self) -> dict[str, Tensor]:
        """The inputs that the student's method must leave unchanged."""
        return {"x": self.x, "t": self.t, "y": self.y}


def probe(student: Student, challenge: Challenge, evidence: Evidence) -> None:
    """Evaluate the drift in every run, and record how the network is evaluated."""
    ODE = student.method("CFGVectorFieldODE", "drift_coefficient", "x", "t", "y")
    for run in RUNS:
        inputs = Inputs.of(challenge, run)
        net = StubModel(challenge, "net", dtype=inputs.x.dtype)
        with evidence.attempt(run):
            ode = ODE(net=net, guidance_scale=inputs.w, null_label=inputs.null_label)
            evidence.put(f"{run}/drift", ode.drift_coefficient(inputs.x, inputs.t, y=inputs.y))
        net.record.report(evidence, f"{run}/net")
        for name, tensor in inputs.tensors().items():
            evidence.put(f"{run}/{name}_after", tensor)
    with evidence.attempt("device"):
        meta = challenge.on("meta")
        inputs = Inputs.of(meta, "single")
        net = StubModel(meta, "net", dtype=inputs.x.dtype)
        ode = ODE(net=net, guidance_scale=inputs.w, null_label=inputs.null_label)
        ode.drift_coefficient(inputs.x, inputs.t, y=inputs.y)


def require_drift(judge: Judge, run: str, inputs: Inputs) -> Tensor:
    """Return the recorded drift; fail unless the network was called with one time and one label for each image.

    Args:
        judge: The judge of the exercise.
        run: A run of `RUNS`.
        inputs: The inputs of this run.
    """
    drift = judge.tensor(f"{run}/drift", inputs.x.shape, what="The drift")
    judge.require(judge.value(f"{run}/net/count", int) > 0, "net_not_called", "Your drift never calls `self.net`.")
    images = len(judge.tensor(f"{run}/net/x", what="The x that the network sees"))
    for name, code, shape in (("t", "time_shape", (images, 1, 1, 1)), ("y", "label_shape", (images,))):
        given = judge.evidence.tensors.get(f"{run}/net/{name}")  # None if the tensors of two calls cannot be joined
        judge.require(
            given is not None and given.shape == shape,
            code,
            f"The network was evaluated at {images} images in all, and for these it takes {name} of the shape "
            f"{shape}: one for each image.",
        )
    judge.require_precision(f"{run}/drift", inputs.x.dtype, "The drift")
    return drift


def require_integer_labels(judge: Judge, run: str) -> None:
    """Fail if the network is given labels that are not integers."""
    judge.require(
        str(judge.evidence.values.get(f"{run}/net/y.dtype")).startswith("int"),
        "label_dtype",
        "The network is given labels that are not integers. They index an embedding.",
    )


def require_inputs_kept(judge: Judge, run: str, inputs: Inputs) -> None:
    """Fail if the student's method changed x, t or y in place."""
    for name, before in inputs.tensors().items():
        after = judge.tensor(f"{run}/{name}_after")
        judge.require(
            torch.equal(after, before.double() if before.is_floating_point() else before),
            "input_altered",
            f"Your function changed its input {name} in place. The caller still needs it.",
        )


def check(judge: Judge) -> None:
    """Run all requirements, and compare the drift where only one of the two velocities counts."""
    net = RandomField(judge.challenge, "net")
    with judge.part("properties", 1):
        drifts = {}
        for run in RUNS:
            inputs = Inputs.of(judge.challenge, run)
            drifts[run] = require_drift(judge, run, inputs)
            require_integer_labels(judge, run)
            require_inputs_kept(judge, run, inputs)
        for run, words in (("w0", "the null label"), ("w1", "the label y")):
            inputs = Inputs.of(judge.challenge, run)
            label = inputs.null if run == "w0" else inputs.y
            judge.require(
                judge.close(drifts[run], net(inputs.x, inputs.t, label)),
                f"scale_{inputs.w:g}",
                f"At w = {inputs.w:g} the drift is not the network's velocity for {words}.",
            )
        for run, drift in drifts.items():
            inputs = Inputs.of(judge.challenge, run)
            null = inputs.y == inputs.null_label
            velocity = net(inputs.x[null], inputs.t[null], inputs.y[null]).double()
            judge.require(
                judge.close(drift[null], velocity, rtol=1e-4),
                "null_row_depends_on_scale",
                "For a sample whose label is already null, guidance has nothing to add, whatever w is.",
            )
        for run, number in PUBLIC_DRIFTS.items():
            mean, w = float((drifts[run] * drift_probe(judge.challenge, run)).mean()), SCALES.get(run, 1.0)
            judge.require(abs(mean - number) < 1e-4 * (1 + abs(w)), *wrong_drift(judge.challenge, run))
        judge.device()


def drift_probe(challenge: Challenge, run: str) -> Tensor:
    """Return random directions, one for each number of the drift."""
    return challenge.randn(f"{run} drift probe", tuple(Inputs.of(challenge, run).x.shape))


def wrong_drift(challenge: Challenge, run: str) -> tuple[str, str]:
    """Return code and message for a wrong drift that nothing else explains."""
    return (
        "wrong_drift",
        f"At w = {Inputs.of(challenge, run).w:.3g} the drift is not the combination of the two velocities that follows "
        "from guiding the score. Write both scores as velocities and collect the terms.",
    )


EXERCISE = Exercise(
    "lab4.cfg_drift",
    points=2,
    title="The guided velocity",
    names=("CFGVectorFieldODE",),
    probe=probe,
    public=check,
)
