"""The inputs of exercise 4.3: the scales, times and labels with which the drift is tested, run by run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.kits.label_dropout import draw_null_label
from utils.checks.kits.same_answer import strided

SCALES = {"w0": 0.0, "w1": 1.0, "w2": 2.0, "whalf": 0.5, "wlarge": 100.0, "wnegative": -1.5}
BETWEEN = 8.0039  # halfway between two numbers of float16
# What is wrong at one of the last two and right at the other is not a matter of the scale.
FIXED_SCALES = {**SCALES, "labelled": BETWEEN, "wide": BETWEEN}
IMAGE = (1, 3, 2)
WIDE = (6, 2, 5)  # more channels than an image has
# object: its calls, each with the shape of x without the batch, dtype and batch size
OBJECTS = {
    **{scale: {scale: (IMAGE, torch.float64, 12), f"{scale}_again": (IMAGE, torch.float64, 12)} for scale in SCALES},
    "random": {
        "random": (IMAGE, torch.float64, 12),
        "random_few": (IMAGE, torch.float64, 5),
        "one": (IMAGE, torch.float64, 1),
    },
    "wide": {"wide": (WIDE, torch.float64, 7)},
    "far": {"far": (IMAGE, torch.float64, 6)},
    "labelled": {"labelled": (IMAGE, torch.float64, 6)},  # no label is null, as where the lab samples
    "all_null": {"all_null": (IMAGE, torch.float64, 3)},
    "mostly_null": {"mostly_null": (IMAGE, torch.float64, 5)},  # all labels but the second are null
    "single": {"single": ((1, 2, 2), torch.float32, 5)},
}
# These second calls of an object change one thing alone, in place: what is kept by all the others is then wrong.
CHANGED = {"w2_again": "t", "whalf_again": "x", "wlarge_again": "y", "wnegative_again": "w"}
CHANGED_SCALE = 2.5  # of "wnegative_again": `guidance_scale` of an object that has been used is set to this
RUNS = {run: sizes for calls in OBJECTS.values() for run, sizes in calls.items()}
OBJECT_OF = {run: name for name, calls in OBJECTS.items() for run in calls}
NULL_FROM = 5  # batches of at least this size contain a null label, but for the run "labelled"; larger ones all labels
GUIDED_WITH_NULL = [
    run for run, (_, _, batch) in RUNS.items() if batch >= NULL_FROM and OBJECT_OF[run] not in ("labelled", "w1")
]
OTHER_NULL = 2  # the null label of the object "labelled" is larger by so much, as a constant of the class shows there
IN_TRAINING = "wide"  # the object whose network is in training mode
ALIKE = 0, 1  # rows of the run "wlarge", of which batches of copies are made
FAR = 400.0  # guided with a large scale, the lab's x reach 60, and its velocities some hundreds
SAME_INPUT = 1e-5  # relative: what the network is given may have gone through float32, and may not be changed more


@dataclass(frozen=True)
class Inputs:
    """The inputs of one call, all fixed by the challenge.

    The first times are 0 and 1. The first labels are 0, the last class, null, and its neighbours; 0 and the last class
    have a second sample, with another time.
    """

    x: Tensor  # (b, c, h, w)
    t: Tensor  # (b, 1, 1, 1)
    y: Tensor  # (b,) labels
    w: float  # the guidance scale
    null_label: int

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS`."""
        drawn = cls.drawn(challenge, run)
        if run not in CHANGED:
            return drawn
        return replace(cls.of(challenge, OBJECT_OF[run]), **{CHANGED[run]: getattr(drawn, CHANGED[run])})

    @classmethod
    def drawn(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run whose x, t and y are all new."""
        shape, dtype, batch = RUNS[run]
        classes = challenge.integer("classes", 4, 8)
        null_label = draw_null_label(challenge, classes) + (OTHER_NULL if run == "labelled" else 0)
        x = challenge.randn(f"{run} x", (batch, *shape), dtype)
        t = challenge.rand(f"{run} t", (batch, 1, 1, 1), dtype=dtype)
        y = challenge.randint(f"{run} y", 1, classes, (batch,))
        if batch > 2:
            t[0], t[1] = 0.0, 1.0
            last = classes - 1
            hard = [0, last, 0, null_label, null_label - 1, null_label + 1, last][:batch]
            y[: len(hard)] = torch.tensor(hard, device=y.device)
        if run == "labelled":
            y[3] = 1
        if run == "all_null":
            y[:] = null_label
        if run == "mostly_null":
            y[0] = y[2:] = null_label
        if run == "wide":
            x, t = strided(x), t[2:3].expand_as(t)  # a simulation passes the time like this
        if run == "far":
            x = FAR / 2 * x
            x[0], x[-1], x[1, ..., 0] = FAR, -FAR, 0.0
        name = OBJECT_OF[run]
        w = CHANGED_SCALE if CHANGED.get(run) == "w" else FIXED_SCALES.get(name)
        return cls(x, t, y, challenge.number(f"{name} w", 1.5, 4.0) if w is None else w, null_label)

    @property
    def null(self) -> Tensor:
        """The null label for every sample, (b,)."""
        return torch.full_like(self.y, self.null_label)

    def size_of_terms(self, velocity: Tensor) -> float:
        """Return how large the two terms of the drift are together; rounding errors are proportional to it."""
        return float((abs(1 - self.w) + abs(self.w)) * velocity.abs().max())


def changed(inputs: Inputs, after: Inputs, name: str) -> Inputs:
    """Return inputs with the same tensors as objects, of which one is changed in place; or with another scale."""
    if name == "w":
        return replace(inputs, w=after.w)
    with torch.no_grad():
        getattr(inputs, name).copy_(getattr(after, name))
    return inputs
