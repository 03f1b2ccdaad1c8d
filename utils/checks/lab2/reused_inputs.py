"""Call a function with the tensors of an earlier call and other numbers in them: a result that it keeps shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from torch import Tensor

from utils.checks.judging import Judge
from utils.checks.kits.inputs import tensors_of

AnyInputs = TypeVar("AnyInputs")


class ReusedTensors:
    """Tensors that runs of the same shape share, as a sampler that updates its state in place does."""

    def __init__(self) -> None:
        """Start without tensors."""
        self.tensors: dict[tuple, Tensor] = {}

    def filled(self, inputs: AnyInputs) -> AnyInputs:
        """Write the inputs of a run into the tensors that an earlier run of the same shapes was called with.

        Args:
            inputs: A dataclass. Its tensors that require gradients or are not contiguous stay as they are.

        Returns:
            A copy of the dataclass with these tensors.
        """
        plain = {
            name: value
            for name, value in tensors_of(inputs).items()
            if value.is_contiguous() and not value.requires_grad
        }
        return replace(inputs, **{name: self.fill(name, value) for name, value in plain.items()})  # type: ignore[type-var]

    def fill(self, name: str, value: Tensor) -> Tensor:
        """Return the shared tensor of this name and shape with the numbers of `value`."""
        key = name, tuple(value.shape), value.dtype
        shared = self.tensors.setdefault(key, value)
        if shared.requires_grad or shared.shape != value.shape:  # the student's code changed it
            shared = self.tensors[key] = value
        return shared if shared is value else shared.copy_(value)


def require_nothing_kept(judge: Judge, reused: str, new: str, function: str) -> None:
    """Fail if a function's result differs between tensors of an earlier call and new tensors with the same numbers.

    Args:
        judge: The judge of the exercise.
        reused: The name of the result for tensors that an earlier call got with other numbers.
        new: The name of the result for new tensors.
        function: The name of the graded function.
    """
    first, second = (judge.tensor(name, finite=False).nan_to_num() for name in (new, reused))
    judge.require(
        judge.close(first, second),
        "result_kept",
        f"Given the same numbers, `{function}` returns one result for new tensors and another for tensors that had "
        "other numbers in an earlier call. Compute it from the numbers, and keep nothing of a tensor.",
    )


def require_result_stays(judge: Judge, first: str, later: str, function: str) -> None:
    """Fail if a tensor that a function returned has other numbers after its later calls, as a shared buffer has.

    Args:
        judge: The judge of the exercise.
        first: The name of the result as it was returned.
        later: The name of the same result after later calls.
        function: The name of the graded function.
    """
    before, after = (judge.tensor(name, finite=False).nan_to_num() for name in (first, later))
    judge.require(
        judge.close(after, before),
        "result_overwritten",
        f"A later call of `{function}` changes the numbers in a tensor that an earlier call returned. "
        "Return a new tensor in every call.",
    )
