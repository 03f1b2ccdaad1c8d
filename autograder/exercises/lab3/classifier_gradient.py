"""Exercise 3.4: the hidden verdict."""

from __future__ import annotations

import torch
from torch import Tensor

from autograder.exercises.kits.mistakes import Mistake
from autograder.exercises.kits.step_functions import fail_if_known
from utils.checks.judging import Failure, Judge
from utils.checks.kits.factors import agree
from utils.checks.lab3.classifier_gradient import (
    RUNS,
    VALUES,
    Inputs,
    require_gradient_of_x,
    require_samples_apart,
    require_sound,
)

RTOL = 1e-4  # of the largest gradient of a logit: float32 rounds to 1e-6 of it
RTOL_OF_SURE = 3e-3  # logits of 90 in float32 leave so many digits; those of 2,000 may go through float32 inside
EXPLAINED = ("labels_ignored", "depends_on_batch_size", "samples_mixed", "shift_matters")  # often a known mistake


class Gradients:
    """Gradients in x of what a classifier says. One graph serves them all."""

    def __init__(self, inputs: Inputs):
        inputs.classifier.requires_grad_(False)
        self.x, self.y = inputs.x.detach().requires_grad_(), inputs.y
        self.rows = torch.arange(len(self.y))
        self.logits = inputs.classifier.compute(self.x, inputs.t)
        self.logs = torch.log_softmax(self.logits, 1)

    def of(self, value: Tensor) -> Tensor:
        """Return the gradient of a number."""
        return torch.autograd.grad(value, self.x, retain_graph=True)[0]

    def of_labels(self, table: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the gradient of the entries of a (b, classes) table at the labels, summed."""
        return self.of(table[self.rows, self.y if labels is None else labels].sum())

    @property
    def right(self) -> Tensor:
        """The gradient of log p(y|x, t) with respect to x."""
        return self.of_labels(self.logs)

    @property
    def size(self) -> Tensor:
        """The largest number in the gradients of all logits of each sample, (b,)."""
        each = [self.of(column.sum()).flatten(1).abs().amax(1) for column in self.logits.T]
        return torch.stack(each).amax(0)

    @property
    def normalised(self) -> Tensor:
        """The right gradient divided by its norm, sample by sample."""
        norm = self.right.flatten(1).norm(dim=1)
        return self.right / norm.reshape(-1, *[1] * (self.x.dim() - 1))


MISTAKES = [
    Mistake(
        "batch_mean",
        lambda g: g.right / len(g.y),
        "Your gradient is divided by the batch size, so guidance gets weaker in larger batches. Sum over the samples.",
    ),
    Mistake(
        "wrong_sign",
        lambda g: -g.right,
        "Your result points down log p(y | x). "
        "A loss has a minus that the gradient of a log-probability does not have.",
    ),
    Mistake(
        "wrong_sign",
        lambda g: -g.right / len(g.y),
        "Your result points down log p(y | x), and it is divided by the batch size.",
    ),
    Mistake(
        "raw_logit",
        lambda g: g.of_labels(g.logits),
        "You differentiate the logit. Adding one function of x to all logits changes no probability, "
        "and it should not change your gradient.",
    ),
    Mistake(
        "probability",
        lambda g: g.of_labels(g.logs.exp()),
        "You differentiate the probability, not its logarithm. "
        "Where the class is improbable, hardly any gradient would be left.",
    ),
    Mistake(
        "over_batch",
        lambda g: g.of_labels(torch.log_softmax(g.logits, 0)),
        "Your softmax runs over the batch. It belongs over the classes, because samples are independent of each other.",
    ),
    Mistake(
        "samples_mixed",
        lambda g: g.of(g.logs[:, g.y].sum()),
        "`[:, y]` picks the labels of all samples for each sample. Each row has one label of its own.",
    ),
    Mistake(
        "all_classes",
        lambda g: g.of(g.logs.sum()),
        "You differentiate the sum over all classes. Only the class y counts.",
    ),
    Mistake(
        "best_class",
        lambda g: g.of(g.logs.max(1).values.sum()),
        "You follow the class that the classifier finds most probable, not the class y.",
    ),
    Mistake(
        "entropy",
        lambda g: g.of((g.logs.exp() * g.logs).sum()),
        "You differentiate the entropy of the prediction. The label has to enter.",
    ),
    Mistake(
        "normalised",
        lambda g: g.normalised,
        "Your gradient is scaled to length 1. Its length matters: it says how much log p can rise.",
    ),
    Mistake(
        "sign_only",
        lambda g: g.right.sign(),
        "You return signs. The size of the gradient matters.",
    ),
    Mistake(
        "labels_shifted",
        lambda g: g.of_labels(g.logs, g.y.roll(1)),
        "Your labels are off by one sample.",
    ),
]


def right_answer(judge: Judge, name: str) -> bool:
    """Return whether the gradient of each sample is right, relative to the largest that the logits have there."""
    terms = Gradients(Inputs.of(judge.challenge, name, torch.float64))
    return agree(require_gradient_of_x(judge, name), terms.right, terms.size, rtol_of(name))


def rtol_of(name: str) -> float:
    """Return the tolerance of a run."""
    return RTOL_OF_SURE if name in ("sure", "hopeless") else RTOL


def verdict(judge: Judge) -> None:
    """Judge each run by its value and by what the call leaves behind."""
    with judge.part("gradient", points=3):
        try:
            require_sound(judge)
        except Failure as failure:
            if failure.finding.code in EXPLAINED:
                explain(judge)
            raise
        for name in VALUES:
            if not right_answer(judge, name):
                if name == "plain":  # every mistake of the table shows there
                    explain(judge)
                judge.fail(
                    "wrong_gradient",
                    "For each sample, the result should be the gradient of log p(y | x, t) with respect to its x. "
                    f"Yours is not (seen {RUNS[name].where}). Check one number of it with a difference quotient.",
                )
        require_samples_apart(judge)
        judge.device()


def explain(judge: Judge) -> None:
    """Fail with the mistake of the table that explains a wrong gradient of the run "plain", if there is one."""
    terms = Gradients(Inputs.of(judge.challenge, "plain", torch.float64))
    actual = require_gradient_of_x(judge, "plain")
    fail_if_known(judge, lambda wrong: judge.close(actual, wrong, RTOL), MISTAKES, terms)
