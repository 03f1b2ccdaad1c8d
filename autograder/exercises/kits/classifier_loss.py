"""The hidden verdict on a noise-aware classifier's training loss. Labs 1 and 3 ask for one each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from autograder.exercises.kits.mistakes import Mistake, compare
from utils.checks.judging import Judge
from utils.checks.kits.classifier_loss import TOLERANCE, require_calls, require_scalar_loss
from utils.checks.kits.classifier_loss_sessions import CLASSES, ClassifierLoss
from utils.checks.kits.known_losses import require_known_losses
from utils.checks.kits.requirements import require_gradient
from utils.checks.stubs import StubClassifier


@dataclass(frozen=True)
class Terms:
    """What right and wrong losses are made of."""

    logits: Tensor  # (b, classes)
    y: Tensor  # (b,) labels
    times: Tensor  # (b,)

    @cached_property
    def log_probs(self) -> Tensor:
        """(b, classes)."""
        return torch.log_softmax(self.logits, 1)

    @cached_property
    def probs(self) -> Tensor:
        """(b, classes)."""
        return torch.softmax(self.logits, 1)

    @cached_property
    def one_hot(self) -> Tensor:
        """(b, classes)."""
        return functional.one_hot(self.y, self.logits.shape[1]).double()

    @cached_property
    def each(self) -> Tensor:
        """The cross-entropy of each sample, (b,)."""
        return -self.of_labels(self.log_probs)

    def of_labels(self, values: Tensor, y: Tensor | None = None) -> Tensor:
        """Pick each row's value at its label: (b, classes) to (b,)."""
        return values[torch.arange(len(self.y)), self.y if y is None else y]


BRIER = "Your loss is a squared error of probabilities, but the exercise asks for the cross-entropy."
PROBABILITY = "Your loss is a mean of probabilities, but the cross-entropy takes their logarithm."
SHIFTED = "Your labels are off by one sample: they no longer match their inputs."

MISTAKES = [
    Mistake("summed_batch", lambda s: s.each.sum(), "Your loss is the sum over the batch, but the mean is asked for."),
    Mistake(
        "wrong_sign",
        lambda s: -s.each.mean(),
        "Your loss is the log-likelihood. It must be small when the classifier is right: change its sign.",
    ),
    Mistake(
        "softmax_twice",
        lambda s: -s.of_labels(torch.log_softmax(s.probs, 1)).mean(),
        "You apply a softmax before `cross_entropy`, which takes logits and contains a softmax already.",
    ),
    Mistake(
        "logits_as_logs",
        lambda s: -s.of_labels(s.logits).mean(),
        "You use logits where log-probabilities belong. `log_softmax` turns logits into log-probabilities.",
    ),
    Mistake("no_logarithm", lambda s: -s.of_labels(s.probs).mean(), PROBABILITY),
    Mistake("no_logarithm", lambda s: 1 - s.of_labels(s.probs).mean(), PROBABILITY),
    Mistake("squared_error", lambda s: (s.probs - s.one_hot).square().mean(), BRIER),
    Mistake("squared_error", lambda s: (s.probs - s.one_hot).square().sum(1).mean(), BRIER),
    Mistake(
        "squared_error",
        lambda s: (s.logits - s.one_hot).square().mean(),
        "Your loss is a squared error of logits, but the exercise asks for the cross-entropy.",
    ),
    Mistake(
        "over_batch",
        lambda s: -s.of_labels(torch.log_softmax(s.logits, 0)).mean(),
        "Your softmax runs over the batch, so every sample depends on the others. It belongs over the classes.",
    ),
    Mistake(
        "divided_by_classes",
        lambda s: s.each.mean() / s.logits.shape[1],
        "Your loss is also divided by the number of classes. Average over the batch only.",
    ),
    Mistake(
        "binary_per_class",
        lambda s: functional.binary_cross_entropy_with_logits(s.logits, s.one_hot),
        "You treat each class as a yes-or-no question of its own. The classes exclude each other, so use one softmax.",
    ),
    Mistake("labels_shifted", lambda s: -s.of_labels(s.log_probs, s.y.roll(1)).mean(), SHIFTED),
    Mistake("labels_shifted", lambda s: -s.of_labels(s.log_probs, s.y.roll(-1)).mean(), SHIFTED),
    Mistake(
        "labels_shifted",
        lambda s: -s.of_labels(s.log_probs, s.y.flip(0)).mean(),
        "Your labels are in another order than their inputs.",
    ),
    Mistake(
        "class_zero",
        lambda s: -s.log_probs[:, 0].mean(),
        "Your loss uses class 0 for every sample. Use the labels that came with the data.",
    ),
    Mistake(
        "time_weighted",
        lambda s: (s.each * s.times).mean(),
        "Your loss is weighted by the time, but the exercise asks for a plain mean.",
    ),
    Mistake(
        "smoothed",
        lambda s: functional.cross_entropy(s.logits, s.y, label_smoothing=0.1),
        "Your loss uses label smoothing, but the exercise asks for the plain cross-entropy.",
    ),
    Mistake(
        "entropy",
        lambda s: -(s.probs * s.log_probs).sum(1).mean(),
        "Your loss is the entropy of the prediction, so the labels never enter.",
    ),
    Mistake(
        "in_bits",
        lambda s: s.each.mean() / torch.log(torch.tensor(2.0).double()),
        "Your logarithm has another base. Use the natural logarithm.",
    ),
]


def judge_classifier_loss(judge: Judge, exercise: ClassifierLoss, points: float) -> None:
    """Judge all runs of such an exercise.

    Args:
        judge: The judge of the exercise.
        exercise: What is special about this exercise.
        points: What the exercise is worth.
    """
    with judge.part("loss", points=points):
        model = StubClassifier(judge.challenge, CLASSES, torch.float64)
        terms = {}
        for call in require_calls(judge, exercise):
            logits = model.compute(call.x, call.t.double()).detach()
            terms[call.name] = Terms(logits, call.y, call.t.double())
            judge_cross_entropy(judge, call.name, terms[call.name])
        require_known_losses(judge, exercise.sessions["main"].shape, CLASSES)
        for name, of_call in terms.items():  # last, because a small mistake in the value may show in the gradient alone
            judge_gradient(judge, name, of_call)
        judge.device()


def judge_cross_entropy(judge: Judge, run: str, terms: Terms) -> None:
    """Compare the loss of a call with the mean of -log p(y | x, t)."""
    actual, expected = require_scalar_loss(judge, run), terms.each.mean()
    ratio = float(actual) / float(expected)
    compare(
        judge,
        actual,
        expected,
        MISTAKES if len(terms.y) > 1 else [],
        terms,
        (
            "wrong_loss",
            f"The loss of this batch should be {float(expected):.6g}, but yours is {float(actual):.6g}, "
            f"{ratio:.4g} times as much. It is the mean of -log p(y | x, t) over the batch.",
        ),
        TOLERANCE,
    )
    require_gradient(judge, f"{run}/loss")


def judge_gradient(judge: Judge, run: str, terms: Terms) -> None:
    """Compare the gradient of the loss of a call with that of the cross-entropy."""
    # d loss / d gain at gain = 1, where the logits are gain times the stub's output.
    # The terms cancel, so it is their size that sets the tolerance.
    parts = (terms.probs - terms.one_hot) * terms.logits
    judge.compare(
        judge.tensor(f"{run}/grad", (), "The gradient of the model's parameter"),
        parts.sum(1).mean(),
        (),
        (
            "wrong_gradient",
            "The value of your loss is right, but its gradient is not that of the cross-entropy. "
            "Did you detach something?",
        ),
        TOLERANCE,
        TOLERANCE * float(parts.abs().sum(1).mean()),
    )
