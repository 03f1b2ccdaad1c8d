"""A classifier without meaning that also runs under the transforms of `torch.func`."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.stubs import StubClassifier

TIME_SCALE = 100


class MixingClassifier(StubClassifier):
    """Logits that depend on all numbers of a sample, and one parameter, `gain`, equal to 1.

    Calls with ordinary tensors are recorded. Inside `vmap` or `grad` of `torch.func` no numbers can be kept.

    Args:
        challenge: Fixes its coefficients.
        classes: The number of classes.
        dtype: The dtype of `gain`.
        size: How many numbers a sample has.
        amplitude: The size of the logits.
        shift: Add one function of x and t to all logits, which changes no probability.
    """

    def __init__(
        self, challenge: Challenge, classes: int, dtype: torch.dtype, size: int, amplitude: float, shift: float = 0.0
    ):
        super().__init__(challenge, classes, dtype, amplitude=amplitude)
        self.mixing = challenge.randn(f"mixing {classes}", (size, classes), dtype)
        self.shift = shift

    def compute(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the logits, (b, classes), unrecorded."""
        values = self.field(x, t.to(x.dtype) / TIME_SCALE).flatten(1)  # large angles would lose float32's digits
        return self.gain * (values @ self.mixing.to(values.dtype)) + self.shift * values.sum(1, keepdim=True)

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """Return the logits, (b, classes), and record the call if its tensors have memory of their own."""
        if all(has_memory(value) for value in (*inputs, *named.values())):
            return self.record(*inputs, **named)
        return self.compute(*inputs, **named)


def has_memory(tensor: Tensor) -> bool:
    """Return whether a tensor is no wrapper of `torch.func`."""
    try:
        tensor.data_ptr()
    except RuntimeError:
        return False
    return True
