"""What the public checks of a classifier's training loss have in common: labs 1 and 3."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.judging import Judge
from utils.checks.stubs import Nonsense

CERTAINTIES = {"certain": 30.0, "clueless": 0.0}  # attempt: the logit of the right class; the others have 0


def stub_noising(challenge: Challenge) -> Nonsense:
    return Nonsense(challenge, "noising")


def require_learning_loss(judge: Judge) -> None:
    """The loss of the first call: positive, with a gradient, on noised data."""
    judge.require(
        judge.number("call0/loss", "The loss") > 0, "not_positive", "A cross-entropy is positive, and yours is not."
    )
    judge.require(
        judge.evidence.values.get("call0/loss.requires_grad"),
        "detached",
        "No gradient flows from your loss to the model.",
    )
    judge.require(
        judge.value("call0/noising/count", int) > 0,
        "not_noised",
        "Your loss never calls `self.add_noise`: the classifier would only know clean data.",
    )


def require_normal_noise(judge: Judge, shape: tuple[int, ...]) -> None:
    noise = judge.tensor("call0/noising/noise", what="The noise")
    judge.require(
        noise.shape == shape, "noise_shape", f"The noise has shape {tuple(noise.shape)}, and the data has {shape}."
    )
    judge.require(
        abs(float(noise.mean())) < 0.25 and abs(float(noise.std()) - 1) < 0.25,
        "noise_law",
        f"The noise should be standard normal; yours has mean {noise.mean():.2f} and standard deviation {noise.std():.2f}.",
    )


def require_same_time(judge: Judge, t: Tensor) -> None:
    seen = judge.tensor("call0/model/t", what="The time that the model sees")
    judge.require(
        torch.equal(seen.flatten(), t.flatten()), "time_differs", "The model sees another time than the noise."
    )


def require_noised_input(judge: Judge) -> None:
    clean, asked = judge.tensor("call0/noising/x0"), judge.tensor("call0/model/x", what="The x that the model sees")
    judge.require(
        not judge.close(asked, clean),
        "model_sees_clean",
        "The model is asked at the clean data, not at what `self.add_noise` returned.",
    )


def require_known_losses(judge: Judge, classes: int) -> None:
    """Two classifiers whose loss anybody can say: one is certain and right, one has no clue."""
    certain = judge.number("certain/loss", "The loss")
    judge.require(
        abs(certain) < 1e-6,
        "certain_not_zero",
        f"A classifier that gives the right class a logit of 30 and the others 0 has hardly any loss; with yours it is {certain:.3g}.",
    )
    clueless = judge.number("clueless/loss", "The loss")
    judge.require(
        abs(clueless - math.log(classes)) < 1e-6,
        "clueless_not_log",
        f"A classifier that finds all {classes} classes equally probable has the loss log {classes} = {math.log(classes):.3f}, however large the batch; with yours it is {clueless:.4g}.",
    )
