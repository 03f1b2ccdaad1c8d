"""Classifiers whose cross-entropy is known beforehand: sure and right, sure and wrong, or clueless."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import Judge
from utils.checks.kits.dealt_data import DealtData, find_rows

SURE = 40.0  # a logit; a loss that adds 1e-10 inside its logarithm shows
VERY_SURE = 400.0  # a logit whose exponential float64 still holds; a limit of the logits shows
SPARE = 256  # samples for an answer that draws some more and does not use them
ACCURACY = 1e-4  # of a known loss; float32 is accurate to 1e-6


@dataclass(frozen=True)
class Case:
    """A classifier, and the batch that it is given.

    Args:
        sure: The logit of one class; the others have 0.
        wrong: The labels for which it is the next class, and not that of the sample.
        shift: Added to all logits.
        batch: The batch size.
        label: The label of all samples; None for random labels.
    """

    sure: float = 0.0
    wrong: tuple[int, ...] = ()
    shift: float = 0.0
    batch: int = 64
    label: int | None = None


CASES = {
    "clueless": Case(),
    "clueless_one": Case(batch=1, label=1),
    "shifted": Case(shift=3.0),
    "one_class": Case(sure=SURE, label=2),
    "certain": Case(sure=SURE, batch=63),  # odd, for an answer that treats such batches differently
    "partly": Case(sure=SURE, wrong=(0,)),
    "mistaken": Case(sure=SURE, wrong=(0, 1, 2)),
    "very_sure": Case(sure=VERY_SURE, wrong=(0, 1, 2)),
    "ruled_out": Case(sure=-VERY_SURE),
}


class KnownClassifier(nn.Module):
    """A classifier that knows the label of every sample of the data, and answers as its case says.

    Args:
        data: The data. The model must see its samples unchanged.
        case: How it answers.
        classes: The number of classes.
    """

    def __init__(self, data: DealtData, case: Case, classes: int):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=torch.float64))
        self.data, self.case, self.classes = data, case, classes
        self.found, self.rows, self.wrong = True, 0, 0  # whether all x are data; how many; how many wrong answers

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return logits, (b, classes).

        Args:
            x: Samples, (b, …).
            t: Not used.
        """
        rows = find_rows(x.detach(), self.data.points[: self.data.next])
        labels = self.data.labels[rows] if rows is not None else torch.zeros(len(x), dtype=torch.long)
        wrong = torch.isin(labels, torch.tensor(self.case.wrong, dtype=torch.long))
        self.found, self.rows = self.found and rows is not None, self.rows + len(x)
        self.wrong += int(wrong.sum())
        labels = torch.where(wrong, (labels + 1) % self.classes, labels)
        answer = self.case.sure * nn.functional.one_hot(labels, self.classes).double() + self.case.shift
        return (self.gain * answer).to(x.dtype)


def probe_known_losses(
    evidence: Evidence,
    challenge: Challenge,
    shape: tuple[int, ...],
    classes: int,
    build: Callable[[nn.Module, DealtData, Callable], Any],
) -> None:
    """Put the loss of each case into the evidence, as `CASE/loss`; of the sure and wrong classifier also the gradient.

    Args:
        evidence: Receives the losses.
        challenge: Fixes the data.
        shape: The shape of one sample.
        classes: The number of classes.
        build: Builds a trainer from a model, data, and a noising that returns the data as it is.
    """
    for name, case in CASES.items():
        with evidence.attempt(name):
            data = data_of(challenge, name, shape, classes)
            model = KnownClassifier(data, case, classes)
            trainer = build(model, data, lambda x0, t, noise: x0)
            value = trainer.get_train_loss(batch_size=case.batch)
            evidence.put(f"{name}/loss", value)
            evidence.put(f"{name}/found", model.found)
            evidence.put(f"{name}/wrong", model.wrong / max(model.rows, 1))
            if name == "clueless":
                evidence.put(f"{name}/again", trainer.get_train_loss(batch_size=case.batch))
            if name == "mistaken" and isinstance(value, Tensor) and value.requires_grad and value.numel() == 1:
                (gradient,) = torch.autograd.grad(value.reshape(()), model.gain, allow_unused=True)
                evidence.put(f"{name}/grad", gradient)


def data_of(challenge: Challenge, name: str, shape: tuple[int, ...], classes: int) -> DealtData:
    """Return the data of a case."""
    case = CASES[name]
    return DealtData(challenge, name, shape, classes, torch.float64, 4 * case.batch + SPARE, case.label)


def ruled_out(classes: int) -> float:
    """Return the loss of the case "ruled_out", where the right class has a very low logit and the others have 0."""
    return VERY_SURE + math.log(classes - 1)


def near(actual: float, expected: float) -> bool:
    """Return whether a known loss agrees with the expected one."""
    return abs(actual - expected) <= ACCURACY * max(1.0, abs(expected))


def require_known_losses(judge: Judge, shape: tuple[int, ...], classes: int) -> None:
    """Compare with the losses that are known beforehand.

    Args:
        judge: The judge of the exercise.
        shape: The shape of one sample.
        classes: The number of classes.
    """
    losses = {name: judge.number(f"{name}/loss", "The loss") for name in CASES}
    again = judge.number("clueless/again", "The loss")
    judge.require(
        all(judge.value(f"{name}/found", bool) for name in CASES),
        "model_sees_other_x",
        "The noising returned the samples unchanged, but the model sees something else than these samples.",
    )
    require_sense(judge, losses, again)
    require_labels_count(judge, losses)
    clueless, expected = losses["clueless"], math.log(classes)
    judge.require(
        near(clueless, expected),
        "clueless_not_log",
        f"A classifier that gives all {classes} classes the same logit has the loss log {classes} = {expected:.3f}, "
        f"but yours is {clueless:.4g}, which is {clueless / expected:.3g} times as much.",
    )
    require_steepness(judge, losses)
    share = judge.number("partly/wrong")
    judge.require(
        near(losses["partly"], share * SURE),
        "not_the_mean",
        f"A classifier gives a logit of {SURE:g} to the right class, but not where the label is 0 ({share:.0%}): "
        f"there a wrong class gets it. Its loss is {share * SURE:.4g}, but yours is {losses['partly']:.4g}. "
        "Each sample of the batch counts equally.",
    )
    for name, expected, which in (("very_sure", VERY_SURE, "a wrong"), ("ruled_out", ruled_out(classes), "the right")):
        judge.require(
            near(losses[name], expected),
            "logits_limited",
            f"A classifier that gives {which} class a logit of {CASES[name].sure:g} and the others 0 has a loss of "
            f"{expected:.6g}, but yours is {losses[name]:.6g}. With a logit of {SURE:g} it is right. Limit no logit.",
        )
    judge.require(
        near(judge.number("mistaken/grad", "The gradient of the model's parameter"), SURE),
        "wrong_gradient",
        "The value of your loss is right, but its gradient is not that of the cross-entropy. Did you detach something?",
    )


def require_steepness(judge: Judge, losses: dict[str, float]) -> None:
    """Fail unless a classifier that is sure, and wrong, has the loss of its logit."""
    judge.require(
        losses["mistaken"] < (1 + ACCURACY) * SURE,
        "too_steep",
        f"A classifier that gives a wrong class a logit of {SURE:g} and the others 0 has a loss of {SURE:g}, but yours "
        f"is {losses['mistaken']:.4g}. Use the logits as the model returns them, and add no other term.",
    )
    judge.require(
        near(losses["mistaken"], SURE) or not near(losses["very_sure"], VERY_SURE / SURE * losses["mistaken"]),
        "too_flat",
        f"A classifier that gives a wrong class a logit of {SURE:g} and the others 0 has a loss of {SURE:g}, and with "
        f"{VERY_SURE:g} one of {VERY_SURE:g}, but yours are {losses['mistaken']:.4g} and {losses['very_sure']:.4g}. "
        "Use the logits as the model returns them.",
    )
    judge.require(
        near(losses["mistaken"], SURE),
        "sure_and_wrong",
        f"A classifier that gives a wrong class a logit of {SURE:g} and the others 0 has a loss of {SURE:g}, but yours "
        f"is {losses['mistaken']:.4g}. Is the logarithm that of the probability, with nothing added or limited?",
    )


def require_sense(judge: Judge, losses: dict[str, float], again: float) -> None:
    """Fail if a loss has the wrong sign, or depends on what must play no part: batch size, time, a common shift."""
    negative = [name for name, value in losses.items() if value < -ACCURACY]
    if negative:
        judge.fail("not_positive", "Your loss is negative for some batches, but a cross-entropy never is.")
    clueless, one = losses["clueless"], losses["clueless_one"]
    judge.require(
        near(again, clueless),
        "changes_by_itself",
        f"A classifier that gives all classes the same logit at all x and t has the same loss in every batch, but "
        f"yours was {clueless:.4g} and then {again:.4g}. Neither time nor noise enters the loss but through the model.",
    )
    judge.require(
        near(clueless, one),
        "changes_with_batch",
        f"A classifier that gives all classes the same logit has the same loss for every batch size, but yours is "
        f"{one:.4g} for 1 sample and {clueless:.4g} for {CASES['clueless'].batch}. "
        "What in it depends on the batch size, or is rounded?",
    )
    judge.require(
        near(losses["shifted"], clueless),
        "changes_with_shift",
        f"The same number added to all logits changes no probability, but your loss changes from {clueless:.4g} to "
        f"{losses['shifted']:.4g}.",
    )


def require_labels_count(judge: Judge, losses: dict[str, float]) -> None:
    """Fail if a sure and right classifier has a loss, or a sure and wrong one has nearly none."""
    sure = f"A classifier that gives the right class a logit of {SURE:g} and the others 0 has a loss of almost 0"
    one_class, certain = losses["one_class"], losses["certain"]
    if one_class > 0.9 * SURE:
        judge.fail(
            "labels_unused", f"{sure}. Where all labels are 2, yours is {one_class:.4g}. Which label do you use?"
        )
    judge.require(
        one_class < ACCURACY,
        "certain_not_zero",
        f"{sure}, but yours is {one_class:.3g}. Which probability does your loss take the logarithm of?",
    )
    judge.require(
        certain < ACCURACY,
        "labels_shifted",
        f"{sure}. Your loss is, where all labels are alike, but in a mixed batch it is {certain:.3g}: "
        "the labels do not belong to the inputs that they are compared with.",
    )
    mistaken = losses["mistaken"]
    judge.require(
        mistaken > ACCURACY,
        "labels_unused",
        "A classifier that is sure of a wrong class has a loss of almost 0 with your answer. Where do labels enter?",
    )
    judge.require(
        mistaken > 4.0,
        "no_logarithm",
        f"A classifier that gives a wrong class a logit of {SURE:g} has a loss of only {mistaken:.3g} with your "
        "answer. A cross-entropy grows with that logit.",
    )
