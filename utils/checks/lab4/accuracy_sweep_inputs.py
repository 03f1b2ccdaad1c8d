"""The inputs of exercise 4.6: images that are random numbers, a sampler and a classifier without meaning."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.kits.label_dropout import draw_null_label
from utils.checks.kits.same_answer import strided
from utils.checks.stubs import RandomField, Recorder

RUNS = {
    # run: number of images, null labels among them, number of scales, dtype
    "main": (90, 15, 6, torch.float64),
    "no_null": (60, 0, 3, torch.float64),
    "mostly_null": (60, 35, 2, torch.float64),  # as many samples as the run before: noise that is kept shows
    "single": (20, 4, 2, torch.float32),
    "many_classes": (240, 12, 3, torch.float64),  # enough to have hits in classes that the lab does not have
    "one": (1, 0, 1, torch.float64),
}
# run: classes and null label, which has a logit, as it is none of the ends. Many are more than the lab has.
NULL_BETWEEN = {"many_classes": (20, 5), "mostly_null": (5, 2)}
LEAD = 100.0  # of the null label's logit in the run "mostly_null", where every prediction is therefore wrong
LARGE = 1000.0  # added to all logits of the run "no_null": their exponentials overflow, and in 16 bits they are equal
# What is kept for a scale from an earlier call shows where two runs share one.
FIXED_SCALES = {"main": [-1.5, 0.0, 1.0, 100.0], "no_null": [1.0]}
FAR = 5.0  # among the many numbers of the lab's noise, some are nearly as large


class StubClassifier:
    """Random logits plus a bias, one for each class, computed row by row. Every call is recorded.

    Args:
        challenge: Fixes the logits.
        bias: (classes,).
    """

    def __init__(self, challenge: Challenge, bias: Tensor):
        self.parts = [RandomField(challenge, f"logit {i}") for i in range(len(bias))]
        self.bias = bias
        self.record = Recorder(self.compute, ("images",))

    def compute(self, images: Tensor) -> Tensor:
        """Return the logits (b, classes) of images (b, ...)."""
        logits = torch.stack([part(images).flatten(1).mean(dim=1) for part in self.parts], dim=1)
        return logits + self.bias.to(logits)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits of images (b, ...), and record the call."""
        return self.record(images)


def stub_sample(challenge: Challenge, noise: Tensor, labels: Tensor, scale: float) -> Tensor:
    """Return random images that depend on noise, labels and guidance scale, row by row."""
    w = torch.as_tensor(scale, dtype=noise.dtype, device=noise.device)
    return RandomField(challenge, "sampler")(noise, labels, w)


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge."""

    noise: Tensor  # (n, 1, 3, 3)
    labels: Tensor  # (n,), some of them null
    scales: list[float]
    null_label: int
    bias: Tensor  # (classes,) of the logits

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS`."""
        n, nulls, count, dtype = RUNS[run]
        classes = challenge.integer("classes", 3, 5)
        null_label = draw_null_label(challenge, classes)
        classes, null_label = NULL_BETWEEN.get(run, (classes, null_label))
        labels = challenge.randint(f"{run} labels", 0, classes, (n,))
        labels[labels == null_label] = classes - 2
        labels[0], labels[1:2] = 0, classes - 1
        labels[2 + challenge.rand(f"{run} order", (max(n - 2, 0),)).argsort()[:nulls]] = null_label
        noise = challenge.randn(f"{run} noise", (n, 1, 3, 3), dtype)
        noise[0, 0, 0, 0], noise[1:2, 0, 0, 0] = FAR, -FAR
        bias = torch.full((classes,), LARGE if run == "no_null" else 0.0)
        if run == "mostly_null":
            bias[null_label] = LEAD
            noise, labels = strided(noise), strided(labels)
        return cls(noise, labels, draw_scales(challenge, run, count), null_label, bias)

    @property
    def asked(self) -> Tensor:
        """Which samples have a class, (n,)."""
        return self.labels != self.null_label


def draw_scales(challenge: Challenge, run: str, count: int) -> list[float]:
    """Return `count` different scales that are not sorted. The run "main" has a negative one, 0, 1 and 100.

    There is one scale in each of `count` intervals between 0.3 and 9, whose lengths in the logarithm are equal. So no
    two scales are equal, which would be one key of the dictionary.
    """
    fixed = FIXED_SCALES.get(run, [])
    free = count - len(fixed)
    parts = torch.arange(free) + 0.1 + 0.8 * challenge.on("cpu").rand(f"{run} scales", (free,))
    drawn = [round(0.3 * 30 ** (float(part) / free), 3) for part in parts]
    scales = fixed + [w + 0.001 if w in fixed else w for w in drawn]
    order = challenge.on("cpu").rand(f"{run} order of scales", (count,)).argsort().tolist()
    scales = [scales[i] for i in order]
    if count > 2 and scales == sorted(scales):  # never in order, or sorting them in place would not show
        scales.reverse()
    return scales
