"""What real digits look like to the reference classifier: stored, so that it is MNIST also where MNIST is missing."""

from __future__ import annotations

import json
from functools import lru_cache

import torch
from torch import Tensor

from utils.training import CHECKPOINTS, load_tensors

FLOORS = "Frechet distance of real training images, equally many of each digit, by their number"  # a key of the card


def real_features(device: torch.device | str = "cpu") -> Tensor:
    """Return the reference classifier's features of MNIST's test images, in the order of the file.

    The checkpoints of labs 3 and 4 draw MNIST, so their samples are compared with these features even if the digits
    at hand are others. `python -m solutions.train_reference_classifier --only features` makes the file.

    Args:
        device: where the features go.

    Returns:
        Features, shape (10000, 64), rounded to float16 and returned as float32.

    Example:
        >>> real_features().shape
        torch.Size([10000, 64])
    """
    return load_tensors(CHECKPOINTS / "reference_features.safetensors", device)[0]["test"].float()


@lru_cache(1)
def real_floors() -> dict[int, float]:
    """Return the Fréchet distance of real training digits from the test digits, by their number.

    Returns:
        The mean distance of several draws with equally many of each digit, by the number of digits.

    Example:
        >>> sorted(real_floors())
        [10, 200, 500, 1000]
    """
    card = json.loads((CHECKPOINTS / "reference_classifier.json").read_text(encoding="utf-8"))
    return {int(images): float(text.split(" ± ")[0]) for images, text in card[FLOORS].items()}
