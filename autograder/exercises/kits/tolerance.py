"""How far a right answer may be from the exact one."""

from __future__ import annotations

import torch


def tolerance(dtype: torch.dtype) -> float:
    """Return the relative tolerance for inputs of this dtype.

    In float64 it lets through a harmless habit: a constant of 1e-8 in a denominator.
    """
    return 1e-6 if dtype == torch.float64 else 1e-4
