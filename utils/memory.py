"""How much memory a computation holds at its peak: what it has made and not yet let go of."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class MemoryTracker(TorchDispatchMode):
    """Counts the bytes of all tensors that are made while it is entered, until nobody holds them any more.

    A view is no new tensor, and neither is what an operation changes in place: weights and inputs that were there count nothing.
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
    """The memory behind all tensors in nested tuples, lists and dictionaries."""
    return [value.untyped_storage() for value in tree_leaves(tree) if isinstance(value, torch.Tensor)]


def peak_memory(work: Callable[[], object]) -> float:
    """The most that tensors made by `work` hold at one time, in megabytes. Works on every device."""
    with MemoryTracker() as tracker:
        work()
    return tracker.peak / 1e6
