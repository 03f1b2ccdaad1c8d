"""Call a graded function with copies of its inputs, to see whether it changes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from utils.checks.evidence import Evidence
from utils.diffusion import Schedule


def copied(thing: Any) -> Any:
    """Return a copy of a tensor or of a schedule; anything else is returned as it is."""
    if isinstance(thing, Schedule):
        return Schedule(*(values.clone() for values in thing))
    return thing.clone() if isinstance(thing, Tensor) else thing


def unchanged(copies: Iterable[object], originals: Iterable[object]) -> bool:
    """Return whether all copies still equal their originals. Only tensors and schedules are compared."""
    return all(map(alike, copies, originals))


def alike(copy: object, original: object) -> bool:
    """Return whether a copy equals its original.

    Args:
        copy: what an earlier call kept.
        original: the same object now.

    Returns:
        True for equal tensors or schedules, and for every other type, which is not compared.
    """
    if isinstance(original, Schedule):
        return isinstance(copy, Schedule) and unchanged(copy, original)
    return isinstance(copy, Tensor) and torch.equal(copy, original) if isinstance(original, Tensor) else True


def call_with_copies(evidence: Evidence, attempt: str, function: Callable, inputs: Mapping[str, object]) -> None:
    """Call a function by keywords, and record `attempt/value` and `attempt/inputs_kept`.

    Args:
        evidence: Takes the result, or the exception.
        attempt: The name of this attempt.
        function: The student's function.
        inputs: Its arguments by name. The function gets copies of them.
    """
    copies = {name: copied(value) for name, value in inputs.items()}
    with evidence.attempt(attempt):
        evidence.put(f"{attempt}/value", function(**copies))
    evidence.put(f"{attempt}/inputs_kept", unchanged(copies.values(), inputs.values()))
