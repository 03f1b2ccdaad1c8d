"""Notice whether a function differentiates automatically, where an exercise asks for a closed form."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from utils.checks.evidence import Evidence

ENGINE = "_engine_run_backward"  # what `torch.autograd.grad`, `backward` and `torch.func.grad` all call


@contextlib.contextmanager
def noticing_autograd(evidence: Evidence, name: str) -> Iterator[None]:
    """Count the automatic derivatives in a `with` block.

    Args:
        evidence: Receives the number under `name`.
        name: `attempt/thing`.

    Returns:
        A context manager.
    """
    engine, count = getattr(torch.autograd, ENGINE), 0

    def counted(*args, **kwargs):
        nonlocal count
        count += 1
        return engine(*args, **kwargs)

    setattr(torch.autograd, ENGINE, counted)
    try:
        yield
    finally:
        setattr(torch.autograd, ENGINE, engine)
        evidence.put(name, count)
