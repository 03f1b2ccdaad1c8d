"""Requirements on labels that a training loss drops at random: each label by its own coin, for no other reason."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.judging import Judge
from utils.checks.kits.correlation import are_correlated
from utils.checks.kits.statistics import is_binomial, is_same_distribution

LEVEL = 5e-8  # the chance that one of the tests below rejects independent coins
PLACED = 0.5  # the correlation of places and coins, from which a dependence on the place is named
HALF = (0.2, 0.8)  # at eta = 0 a normal coin drops half of 64 labels: outside of this with a chance below 1e-6


def draw_null_label(challenge: Challenge, classes: int) -> int:
    """Return a null label that is neither a class nor the lab's 10, so that a constant shows.

    Args:
        challenge: Fixes the label.
        classes: The number of classes, 0 to `classes - 1`.
    """
    label = classes + challenge.integer("null", 3, 9)
    return label if label != 10 else 17


def require_some_dropped(judge: Judge, null: Tensor, null_at_one: Tensor, eta: float) -> None:
    """Fail if no label was ever dropped, or if one coin decided for a whole batch.

    Args:
        judge: The judge of the exercise.
        null: Which samples the model saw with the null label, (calls, b).
        null_at_one: The same for a call with eta = 1, (b,).
        eta: The probability to drop a label.
    """
    judge.require(
        bool(null.any()) or bool(null_at_one.any()),
        "never_dropped",
        f"The model never saw the null label, although eta was {eta:.2f}. It cannot learn the unconditional velocity.",
    )
    per_call = null.double().mean(dim=1)
    judge.require(
        not bool(((per_call == 0) | (per_call == 1)).all()),
        "one_coin_per_batch",
        "In each batch either all labels were dropped or none. Toss a coin for every sample.",
    )


def require_drop_rate(judge: Judge, null: Tensor, null_at_zero: Tensor, eta: float) -> None:
    """Fail if labels are not dropped with probability eta.

    Args:
        judge: The judge of the exercise.
        null: Which samples the model saw with the null label, (calls, b).
        null_at_zero: The same for a call with eta = 0, (b,).
        eta: The probability to drop a label.
    """
    from scipy import special

    count, total, share = int(null.sum()), null.numel(), float(null.double().mean())
    if is_binomial(count, total, eta, judge.spend_alpha(LEVEL)):
        return
    found = f"The model saw the null label in {share:.0%} of the samples, and eta was {eta:.0%}"
    at_zero = float(null_at_zero.double().mean())
    if HALF[0] < at_zero < HALF[1] and is_binomial(count, total, float(special.ndtr(eta)), LEVEL):
        judge.fail(
            "normal_coin",
            f"{found}; with eta = 0 about half were dropped. "
            "Is your coin uniform on [0, 1]? `rand` and `randn` differ by one letter.",
        )
    if is_binomial(count, total, 1 - eta, LEVEL):
        judge.fail(
            "eta_inverted",
            f"{found}. You keep labels with probability eta, but eta is the probability to drop them.",
        )
    if at_zero > 0:
        judge.fail("eta_ignored", f"{found}; with eta = 0 it was {at_zero:.0%}. Only eta may decide this.")
    judge.fail("dropped_too_often" if share > eta else "dropped_too_rarely", f"{found}.")


def require_every_label_dropped(judge: Judge, null_at_one: Tensor, y: Tensor) -> None:
    """Fail if there is a label that is kept even with eta = 1, where all others are dropped.

    Args:
        judge: The judge of the exercise.
        null_at_one: Which samples the model saw with the null label in a call with eta = 1, (b,).
        y: The samples' own labels, (b,).
    """
    kept = set(y[~null_at_one].tolist())
    judge.require(
        not kept or kept & set(y[null_at_one].tolist()) or not bool(null_at_one.any()),
        "label_never_dropped",
        f"With eta = 1 the samples with label {', '.join(f'{int(k)}' for k in sorted(kept))} kept it, and all others "
        "lost theirs. Every label can be dropped.",
    )


def require_coins_within_labels(judge: Judge, null: Tensor, y: Tensor) -> None:
    """Fail if in every call one coin decided for all samples of a label.

    Args:
        judge: The judge of the exercise.
        null: Which samples the model saw with the null label, (calls, b).
        y: The samples' own labels, (calls, b).
    """
    alike = all(row[labels == label].unique().numel() == 1 for row, labels in zip(null, y) for label in labels.unique())
    judge.require(
        not alike,
        "one_coin_per_label",
        "In each batch all samples of a label lose it together, or none does. Toss a coin for each sample.",
    )


def require_independent_coins(judge: Judge, null: Tensor) -> None:
    """Fail if the coins of different calls, or of different samples of a call, are not independent.

    Args:
        judge: The judge of the exercise.
        null: Which samples the model saw with the null label, (calls, b).
    """
    judge.require(
        not torch.equal(null[0], null[1]),
        "same_rows_dropped",
        "Two calls dropped the labels of the same rows. Toss new coins in every call: fix no seed, and keep no coins.",
    )
    if are_correlated(judge, null[:-1].flatten(), null[1:].flatten()):
        places = torch.arange(null.shape[1]).double()
        judge.require(
            not abs(float(torch.corrcoef(torch.stack([null.double().mean(0), places]))[0, 1])) > PLACED,
            "rows_not_alike",
            "Which samples lose their labels depends on their places in the batch: at one end it happens more often "
            "than at the other. Toss a coin for each sample.",
        )
        judge.fail(
            "coins_kept", "Which rows lose their labels depends on the call before. Toss new coins in every call."
        )
    judge.spend_alpha(LEVEL)  # all calls have equal counts by chance: below 1e-9
    judge.require(
        null.sum(dim=1).unique().numel() > 1,
        "fixed_count",
        "Every batch dropped exactly the same number of labels. Toss an independent coin for every sample.",
    )
    half = null.shape[1] // 2
    judge.require(
        not are_correlated(judge, null[:, :half].flatten(), null[:, -half:].flatten()),
        "coins_shared",
        "The samples of the first half of a batch lose their labels together with those of the second half. "
        "Toss a coin for each sample.",
    )
    judge.require(
        not are_correlated(judge, null[:, :-1].flatten(), null[:, 1:].flatten()),
        "coins_shared",
        "Neighbouring samples lose their labels together more often, or less often, than chance allows. "
        "Toss a coin for each sample.",
    )


def require_unrelated_coins(judge: Judge, null: Tensor, t: Tensor, y: Tensor) -> None:
    """Fail if the coins depend on the times or on the labels.

    Args:
        judge: The judge of the exercise.
        null: Which samples the model saw with the null label, (calls, b).
        t: The times, (calls, b).
        y: The samples' own labels, (calls, b).
    """
    judge.require(
        is_same_distribution(t[null], t[~null], judge.spend_alpha(LEVEL)),
        "time_tied_to_mask",
        "The samples that lost their label have other times than the rest. Do not use one random number for both.",
    )
    y = y.double()
    judge.require(
        is_same_distribution(y[null], y[~null], judge.spend_alpha(LEVEL)),
        "mask_depends_on_label",
        "Some classes lose their labels more often than others.",
    )


def require_unrelated_times(judge: Judge, t: Tensor, y: Tensor) -> None:
    """Fail if samples with small labels have other times than those with large ones.

    Args:
        judge: The judge of the exercise.
        t: The times, (calls, b).
        y: The samples' own labels, (calls, b).
    """
    small = y < y.double().quantile(0.5)
    judge.require(
        is_same_distribution(t[small], t[~small], judge.spend_alpha(LEVEL)),
        "time_tied_to_label",
        "Samples with small labels have other times than those with large ones. Draw times without a look at the data.",
    )


def require_edge(judge: Judge, null: Tensor, eta: float) -> None:
    """Fail unless eta = 0 drops no label and eta = 1 drops all of them.

    Args:
        judge: The judge of the exercise.
        null: Which samples the model saw with the null label, (b,).
        eta: 0 or 1.
    """
    share = float(null.double().mean())
    advice = "Is the comparison with eta the right way round?" if share == 1 - eta else "Only eta may decide this."
    judge.require(
        share == eta,
        "eta_edge",
        f"With eta = {eta:g} the model saw the null label in {share:.0%} of the samples. {advice}",
    )
