"""Measure how much memory a computation holds at its peak."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class MemoryTracker(TorchDispatchMode):
    """Count the bytes of all tensors that are created inside a `with` block, until each is freed.

    A view is not a new tensor, and neither is the result of an in-place operation. Weights and inputs that existed
    before do not count.

    Attributes:
        held: the bytes of each storage that is alive, by the storage's id.
        peak: the largest sum of them so far, in bytes.
    """

    def __init__(self):
        super().__init__()
        self.held: dict[int, int] = {}  # storage: bytes
        self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = {id(storage) for storage in storages((args, kwargs))}
        out = function(*args, **(kwargs or {}))
        for storage in storages(out):
            key = id(storage)
            if key not in self.held and key not in given:
                self.held[key] = storage.nbytes()
                weakref.finalize(storage, self.held.pop, key, None)
        self.peak = max(self.peak, sum(self.held.values()))
        return out


def storages(tree: object) -> list[torch.UntypedStorage]:
    """Return the memory behind all tensors in nested tuples, lists and dictionaries.

    Args:
        tree: any nesting of containers and other objects.

    Returns:
        One storage for each tensor.
    """
    return [value.untyped_storage() for value in tree_leaves(tree) if isinstance(value, torch.Tensor)]


def peak_memory(work: Callable[[], object]) -> float:
    """Return the most memory that the tensors created by a function hold at one time. Works on every device.

    Args:
        work: a function without arguments.

    Returns:
        The peak in megabytes (10^6 bytes).

    Example:
        >>> peak_memory(lambda: torch.zeros(250_000))
        1.0
    """
    with MemoryTracker() as tracker:
        work()
    return tracker.peak / 1e6
