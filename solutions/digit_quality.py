"""How good drawn digits are: the one measurement behind every table of accuracy and Fréchet distance."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from utils.metrics import frechet_distance, in_batches
from utils.nets import DigitClassifier
from utils.training import CHECKPOINTS, load_weights


class DigitQuality(NamedTuple):
    """What the reference classifier says of drawn digits.

    Attributes:
        accuracy: The share of them that it takes for the digit that was asked for.
        distance: The Fréchet distance of their features to those of real digits.
        features: Its features, shape (n, d).
    """

    accuracy: float
    distance: float
    features: Tensor


def reference_classifier(device: torch.device) -> DigitClassifier:
    """Return the reference classifier, trained."""
    classifier = DigitClassifier().to(device)
    load_weights(classifier, CHECKPOINTS / "reference_classifier.safetensors")
    return classifier


def digit_quality(classifier: DigitClassifier, images: Tensor, labels: Tensor, real: Tensor) -> DigitQuality:
    """Return how good drawn digits are.

    Args:
        classifier: The reference classifier.
        images: The digits, shape (n, 1, 32, 32), in [-1, 1].
        labels: Which digits were asked for, shape (n,).
        real: Its features of real digits, shape (m, d).
    """
    features = in_batches(classifier.features, images)
    accuracy = float((classifier.head(features).argmax(1) == labels).double().mean())
    return DigitQuality(accuracy, frechet_distance(features, real), features)
