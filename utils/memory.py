"""How much memory a computation holds at its peak: what has been made and not yet been let go of."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Ledger(TorchDispatchMode):
    """Counts the bytes of all tensors that are made while it is entered, until nobody holds them any more."""

    def __init__(self):
        super().__init__()
        self.held: dict[int, int] = {}  # storage: bytes
        self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for value in tree_leaves(out):
            if isinstance(value, torch.Tensor):
                storage = value.untyped_storage()
                key = id(storage)
                if key not in self.held:
                    self.held[key] = storage.nbytes()
                    weakref.finalize(storage, self.held.pop, key, None)
        self.peak = max(self.peak, sum(self.held.values()))
        return out


def peak_memory(work: Callable[[], object]) -> float:
    """The most that tensors made by `work` hold at one time, in megabytes. Works on every device."""
    with Ledger() as ledger:
        work()
    return ledger.peak / 1e6
