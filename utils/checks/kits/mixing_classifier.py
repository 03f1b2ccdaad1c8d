"""A classifier without meaning that also runs under the transforms of `torch.func`."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.kits.mixed_modes import add_parts
from utils.checks.stubs import StubClassifier, bind

TIME_SCALE = 100


class MixingClassifier(StubClassifier):
    """Logits that depend on all numbers of a sample, and one parameter, `gain`, equal to 1.

    Calls with ordinary tensors are recorded. Inside `vmap` or `grad` of `torch.func` no numbers can be kept.
    As for the lab's networks, t must be integers, and x must not have more digits than the parameters.

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
        add_parts(self)

    def compute(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the logits, (b, classes), unrecorded."""
        values = self.field(x, t.to(x.dtype) / TIME_SCALE).flatten(1)  # large angles would lose float32's digits
        return self.gain * (values @ self.mixing.to(values.dtype)) + self.shift * values.sum(1, keepdim=True)

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """Return the logits, (b, classes), and record the call if its tensors have memory of their own.

        Raises:
            TypeError: t or x has a dtype that the lab's networks refuse.
        """
        require_dtypes(bind(("x", "t"), inputs, named), self.gain.dtype)
        if all(has_memory(value) for value in (*inputs, *named.values())):
            return self.record(*inputs, **named)
        return self.compute(*inputs, **named)


def require_dtypes(values: list[object], weights: torch.dtype) -> None:
    """Raise the error of a network if x or t, the first two values, has a dtype that it refuses."""
    x, t = (*values, None, None)[:2]
    if isinstance(t, Tensor) and t.is_floating_point():
        raise TypeError(f"the classifier was called with t in {t.dtype}, but steps are integers")
    if isinstance(x, Tensor) and torch.promote_types(x.dtype, weights) != weights:
        raise TypeError(f"the classifier was called with x in {x.dtype}, but its parameters are in {weights}")


def has_memory(tensor: Tensor) -> bool:
    """Return whether a tensor is no wrapper of `torch.func`."""
    try:
        tensor.data_ptr()
    except RuntimeError:
        return False
    return True
