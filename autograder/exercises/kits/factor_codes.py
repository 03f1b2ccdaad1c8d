"""Codes of findings about a factor, for wrong answers where the random steps decide which of several it gets."""

from __future__ import annotations


def small(factor: str) -> tuple[str, ...]:
    """Return the codes of a factor that is too small: in all samples, in some, in the largest ones, or in one."""
    return tuple(f"{factor}_{code}" for code in ("too_small", "small_in_some", "small_where_large", "small_in_one"))
