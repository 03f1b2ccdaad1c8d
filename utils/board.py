"""The board of an open exercise: named numbers, the best first."""

from __future__ import annotations

from collections.abc import Mapping


def print_board(scores: Mapping[str, float], what: str, largest_first: bool = True) -> None:
    """Print numbers by name, the best first.

    Args:
        scores: one number for each name.
        what: what the numbers are, for the heading.
        largest_first: whether the largest number is the best.

    Example:
        >>> print_board({"world 3": 0.07, "world 2": 0.15}, "total variation")
        total variation, the largest first
          1.  0.150  world 2
          2.  0.070  world 3
    """
    print(f"{what}, the {'largest' if largest_first else 'smallest'} first")
    for place, name in enumerate(sorted(scores, key=lambda name: scores[name], reverse=largest_first), 1):
        print(f"{place:>3}.  {scores[name]:.3f}  {name}")
