"""Codes of findings about a factor, for wrong answers where the random steps decide which of several it gets."""

from __future__ import annotations


def small(factor: str) -> tuple[str, ...]:
    """Return the codes of a factor that is too small in all samples, in some, or in one."""
    return f"{factor}_too_small", f"{factor}_small_in_some", f"{factor}_small_in_one"
