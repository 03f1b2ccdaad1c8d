"""Exercise 4.6, hidden: conditional accuracy for every guidance scale."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake, compare
from utils.checks.judging import Judge
from utils.checks.lab4.accuracy_sweep import (
    RUNS,
    Inputs,
    StubClassifier,
    require_accuracies,
    require_inputs_kept,
    stub_sample,
    wrong_accuracy,
)


@dataclass(frozen=True)
class Terms:
    """Which samples are classified as their label, for each key of the student's dictionary in its order."""

    hit: Tensor  # (scales, n) 0 or 1
    asked: Tensor  # (n,) which samples have a class
    scales: list[float]  # in the order of the list that the student was given
    keys: list[float]

    @classmethod
    def of(cls, judge: Judge, inputs: Inputs, keys: list[float]) -> Terms:
        """Draw and classify the stub's images again."""
        classifier = StubClassifier(judge.challenge, inputs.classes)
        images = (stub_sample(judge.challenge, inputs.noise, inputs.labels, w) for w in keys)
        hit = torch.stack([(classifier(image).argmax(dim=1) == inputs.labels).double() for image in images])
        return cls(hit, inputs.labels != inputs.null_label, inputs.scales, keys)

    @property
    def accuracy(self) -> Tensor:
        """The accuracy for each guidance scale, over the labels asked for."""
        return self.hit[:, self.asked].mean(1)

    def of_one_scale(self, w: float) -> Tensor:
        """Return the accuracy of one scale for all keys."""
        return self.accuracy[self.keys.index(w)].expand(len(self.keys))


ONE_SCALE = "All your accuracies belong to one scale of the list. Does every scale have its own samples?"

ONE_SCALE_MISTAKES = [  # where the list has several scales
    Mistake("one_scale", lambda p: p.of_one_scale(p.scales[0]), ONE_SCALE),
    Mistake("one_scale", lambda p: p.of_one_scale(p.scales[-1]), ONE_SCALE),
]

MISTAKES = [
    Mistake(
        "null_rows_counted",
        lambda p: p.hit.mean(1),
        "Rows with the null label count as errors in your accuracy. They ask for no class, so leave them out.",
    ),
    Mistake(
        "percent",
        lambda p: 100 * p.accuracy,
        "Your accuracy is a percentage. Return a fraction between 0 and 1.",
    ),
    Mistake(
        "counted",
        lambda p: p.hit[:, p.asked].sum(1),
        "You return the number of hits. Divide by the number of samples that have a class.",
    ),
    Mistake(
        "error_rate",
        lambda p: 1 - p.accuracy,
        "You return the share of errors. Accuracy is the share of hits.",
    ),
]


def verdict(judge: Judge) -> None:
    """Compare the accuracy of every scale with the share of hits."""
    with judge.part("sweep", points=2):
        for run in RUNS:
            judge_run(judge, run)


def judge_run(judge: Judge, run: str) -> None:
    """Compare the accuracies of one run. A mistake is named where it explains all of them: one may agree by chance."""
    inputs = Inputs.of(judge.challenge, run)
    accuracies = require_accuracies(judge, run, inputs)
    keys, actual = list(accuracies), torch.tensor(list(accuracies.values()), dtype=torch.float64)
    terms = Terms.of(judge, inputs, keys)
    worst = int((actual - terms.accuracy).abs().argmax())
    otherwise = wrong_accuracy(keys[worst], float(actual[worst]))
    mistakes = [*ONE_SCALE_MISTAKES, *MISTAKES] if len(keys) > 1 else MISTAKES
    compare(judge, actual, terms.accuracy, mistakes, terms, otherwise, rtol=1e-5)
    require_inputs_kept(judge, run)
