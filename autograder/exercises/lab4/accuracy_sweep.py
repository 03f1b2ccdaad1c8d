"""Exercise 4.6, hidden: conditional accuracy for every guidance scale."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from utils.checks.judging import Judge
from utils.checks.lab4.accuracy_sweep import UNSURE, require_sweep, wrong_accuracy
from utils.checks.lab4.accuracy_sweep_inputs import Inputs, StubClassifier, stub_sample

RTOL = 1e-5  # an accuracy may be a float32


@dataclass(frozen=True)
class Terms:
    """Which samples are classified as their label, for each key of the student's dictionary in its order."""

    hit: Tensor  # (scales, n) 0 or 1
    unsure: Tensor  # (scales, n) which samples rounding may classify either way
    asked: Tensor  # (n,) which samples have a class
    keys: list[float]

    @classmethod
    def of(cls, judge: Judge, inputs: Inputs, keys: list[float]) -> Terms:
        """Draw and classify the stub's images again."""
        classifier = StubClassifier(judge.challenge, inputs.bias)
        images = (stub_sample(judge.challenge, inputs.noise, inputs.labels, w) for w in keys)
        logits = torch.stack([classifier.compute(image) for image in images])
        hit = (logits.argmax(dim=2) == inputs.labels).double()
        best = logits.topk(2, dim=2).values
        return cls(hit, best[..., 0] - best[..., 1] < UNSURE, inputs.asked, keys)

    @property
    def accuracy(self) -> Tensor:
        """The accuracy for each guidance scale, over the labels asked for."""
        return self.hit[:, self.asked].mean(1)

    @property
    def slack(self) -> Tensor:
        """How far rounding may move each accuracy."""
        return self.unsure[:, self.asked].double().mean(1)


MISTAKES = [  # each must explain all runs together: one accuracy may agree by chance
    Mistake(
        "error_rate",
        lambda p: 1 - p.accuracy,
        "You return the share of errors. Accuracy is the share of hits.",
    ),
]


def verdict(judge: Judge) -> None:
    """Compare the accuracy of every scale with the share of hits."""
    with judge.part("sweep", points=2):
        judge_sweep(judge, require_sweep(judge))
        judge.device()


def judge_sweep(judge: Judge, accuracies: dict[str, dict[float, float]]) -> None:
    """Compare the accuracies of all runs, and name what explains the wrong ones."""
    terms = {run: Terms.of(judge, Inputs.of(judge.challenge, run), list(values)) for run, values in accuracies.items()}
    actual = {run: torch.tensor(list(values.values())).double() for run, values in accuracies.items()}

    def explains(formula) -> bool:
        return all(bool(((actual[run] - formula(p)).abs() <= RTOL + p.slack).all()) for run, p in terms.items())

    if explains(lambda p: p.accuracy):
        return
    for mistake in MISTAKES:
        judge.require(not explains(mistake.formula), mistake.code, str(mistake.message))
    for run, p in terms.items():
        error = (actual[run] - p.accuracy).abs() - p.slack
        if error.max() > RTOL:
            worst = int(error.argmax())
            judge.fail(*wrong_accuracy(p.keys[worst], float(actual[run][worst])))
