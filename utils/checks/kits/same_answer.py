"""Requirements that an answer stays the same when it is computed again, or from inputs laid out otherwise in memory."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.checks.judging import Judge


def strided(tensor: Tensor) -> Tensor:
    """Return the same numbers, but not contiguous in memory.

    Args:
        tensor: At least one axis.

    Returns:
        A tensor of the same shape that is a view of every other row of a larger one.
    """
    return tensor.repeat_interleave(2, dim=0)[::2]


def require_given_noise(judge: Judge, first: Tensor, second: Tensor) -> None:
    """Fail if two calls with the same inputs, noise included, gave two different results.

    Args:
        judge: The judge of the exercise.
        first: The result of one call.
        second: The result of another call with the same inputs.
    """
    judge.require(
        torch.equal(first, second),
        "fresh_noise",
        "Two calls with the same noise gave two different results. Use the noise that you are given, and draw none.",
    )


def require_layout_ignored(judge: Judge, name: str) -> None:
    """Fail if `strided/value` differs from the value of the run whose inputs it repeats.

    Args:
        judge: The judge of the exercise.
        name: The run, such as `letters`.
    """
    judge.require(
        judge.close(judge.tensor("strided/value"), judge.tensor(f"{name}/value"), 1e-9),
        "memory_layout",
        "The same inputs gave a different result when they were not contiguous in memory, as after a transpose. "
        "Use indexing, broadcasting and reshape, which do not depend on the memory layout.",
    )
