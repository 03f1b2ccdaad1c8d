"""Exercise 3.3, hidden half. The mistakes are those of every classifier's training loss, so they are in the kit."""

from __future__ import annotations

from autograder.exercises.kits.classifier_loss import judge_classifier_loss
from utils.checks.judging import Judge
from utils.checks.lab3.classifier_loss import LOSS


def verdict(judge: Judge) -> None:
    """Judge the loss of the noise-aware classifier."""
    judge_classifier_loss(judge, LOSS, points=1)
