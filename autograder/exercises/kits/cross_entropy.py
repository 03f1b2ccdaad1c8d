"""The verdict on a cross-entropy: labs 1 and 3 train classifiers."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from utils.checks.judging import Judge


def judge_cross_entropy(judge: Judge, name: str, logits: Tensor, y: Tensor, times: Tensor, rtol: float) -> None:
    """The attempt's `loss` and `grad` against the mean of -log p(y | x, t), and against the usual mistakes."""
    logits = logits.detach()
    each = -torch.log_softmax(logits, 1)[torch.arange(len(y)), y]
    seen = judge.tensor(f"{name}/loss", what="The loss")
    if seen.numel() > 1:
        judge.fail("no_reduction", f"Your loss has shape {tuple(seen.shape)}. Average it over the batch to one number.")
    if name == "one" and seen.dim() > 0:
        judge.fail("wrong_shape", f"Your loss has shape {tuple(seen.shape)}, expected a tensor without axes.")
    judge.compare(
        seen.reshape(()), each.mean(), partial(mistakes, logits, y, times) if len(y) > 1 else (),
        ("wrong_loss", f"The loss of this batch should be {float(each.mean()):.4g}, and yours is {float(seen):.4g}. It is the mean of -log p(y | x, t) over the batch."), rtol,
    )  # fmt: skip
    judge.require(
        judge.evidence.values.get(f"{name}/loss.requires_grad"),
        "detached",
        "No gradient flows from your loss to the model: nothing would be learned.",
    )
    # d loss / d gain at gain = 1, where the logits are gain times the nonsense. The terms cancel: they set the tolerance.
    terms = (torch.softmax(logits, 1) - torch.nn.functional.one_hot(y, logits.shape[1])) * logits
    judge.compare(
        judge.tensor(f"{name}/grad", (), "The gradient in the model's parameter"), terms.sum(1).mean(), (),
        ("wrong_gradient", "The value of your loss is right, but its gradient is not that of the cross-entropy. Was something detached?"),
        rtol, rtol * float(terms.abs().sum(1).mean()),
    )  # fmt: skip


def mistakes(logits: Tensor, y: Tensor, times: Tensor) -> list[tuple[str, str, Tensor]]:
    """(code, message, the loss that this mistake gives)."""
    rows = torch.arange(len(y))
    logs, probs = torch.log_softmax(logits, 1), torch.softmax(logits, 1)
    one_hot = torch.nn.functional.one_hot(y, logits.shape[1]).double()
    each = -logs[rows, y]
    return [
        ("summed_batch", "Your loss is the sum over the batch. The statement asks for the mean.", each.sum()),
        ("wrong_sign", "Your loss is the log-likelihood. It has to be small when the classifier is right: change its sign.", -each.mean()),
        ("softmax_twice", "Logits went through a softmax before `cross_entropy`, which takes logits and has a softmax of its own.", -torch.log_softmax(probs, 1)[rows, y].mean()),
        ("logits_as_logs", "You picked logits where log-probabilities belong. `log_softmax` makes the one from the other.", -logits[rows, y].mean()),
        ("no_logarithm", "Your loss is a mean of probabilities. Cross-entropy takes the logarithm.", -probs[rows, y].mean()),
        ("no_logarithm", "Your loss is a mean of probabilities. Cross-entropy takes the logarithm.", 1 - probs[rows, y].mean()),
        ("squared_error", "Your loss is a squared error of probabilities. The statement asks for the cross-entropy.", (probs - one_hot).square().mean()),
        ("squared_error", "Your loss is a squared error. The statement asks for the cross-entropy.", (probs - one_hot).square().sum(1).mean()),
        ("squared_error", "Your loss is a squared error of logits. The statement asks for the cross-entropy.", (logits - one_hot).square().mean()),
        ("over_batch", "Your softmax runs over the batch. It belongs over the classes: one sample must not know of the others.", -torch.log_softmax(logits, 0)[rows, y].mean()),
        ("divided_by_classes", "Your loss is divided by the number of classes too. Average over the batch only.", each.mean() / logits.shape[1]),
        ("binary_per_class", "You treat each class as a question of its own. The classes exclude each other: use the cross-entropy of a softmax.", torch.nn.functional.binary_cross_entropy_with_logits(logits, one_hot)),
        ("labels_shifted", "Your labels are off by one sample: they were moved against their inputs.", -logs[rows, y.roll(1)].mean()),
        ("labels_shifted", "Your labels are off by one sample: they were moved against their inputs.", -logs[rows, y.roll(-1)].mean()),
        ("labels_shifted", "Your labels stand in another order than their inputs.", -logs[rows, y.flip(0)].mean()),
        ("class_zero", "Your loss asks for class 0 always. Use the labels that came with the data.", -logs[:, 0].mean()),
        ("time_weighted", "Your loss is weighted by the time. The statement asks for a plain mean.", (each * times).mean()),
        ("smoothed", "Your loss smoothes the labels. The statement asks for the plain cross-entropy.", torch.nn.functional.cross_entropy(logits, y, label_smoothing=0.1)),
        ("entropy", "Your loss is the entropy of the prediction. The labels have to enter.", -(probs * logs).sum(1).mean()),
        ("in_bits", "Your logarithm has another base. Use the natural one.", each.mean() / torch.log(torch.tensor(2.0).double())),
    ]  # fmt: skip
