"""Write a measured number with its own digits, so that a table promises no more than was measured."""

from __future__ import annotations

import math


def with_error(value: float, error: float) -> str:
    """Write a number and its standard error, both rounded at the error's leading digit (two digits if it is a 1).

    Args:
        value: the number.
        error: its standard error, at least 0. If it is 0, the number is written with three significant digits.

    Returns:
        Such as "0.314 ± 0.005".

    Raises:
        ValueError: the error is negative or not a number.

    Example:
        >>> with_error(0.31449, 0.0052), with_error(17.9637, 0.127), with_error(0.99, 0.0)
        ('0.314 ± 0.005', '17.96 ± 0.13', '0.99 ± 0')
    """
    if not error >= 0:
        raise ValueError(f"a standard error is at least 0, not {error}")
    if error == 0 or not math.isfinite(error):
        return f"{value:.3g} ± {error:g}"
    digits = -math.floor(math.log10(error))
    if error * 10**digits < 1.95:
        digits += 1
    digits = max(0, digits)
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def share_error(share: float, n: int) -> float:
    """Return the standard error of a share that was counted, which is above 0 for shares of 0 and 1, too.

    Args:
        share: the share, in [0, 1].
        n: how many were counted, at least 1.

    Returns:
        The error: that of the share with one hit and one miss more.

    Example:
        >>> round(share_error(0.5, 10_000), 4), round(share_error(0.0, 100), 4)
        (0.005, 0.0099)
    """
    moderate = (share * n + 1) / (n + 2)
    return math.sqrt(moderate * (1 - moderate) / n)
