"""Lists of numbers in messages."""

from __future__ import annotations

from collections.abc import Sequence


def shorten(numbers: Sequence[float], most: int = 6, form: str = "g") -> str:
    """Return the first numbers of a list, for a message.

    Args:
        numbers: The list.
        most: How many are shown. If there are more, an ellipsis follows.
        form: How each is written, as in a format string.

    Example:
        >>> shorten([0.5, 1.0, 2.0], most=2)
        '0.5, 1, …'
    """
    return ", ".join(f"{number:{form}}" for number in numbers[:most]) + (", …" if len(numbers) > most else "")
