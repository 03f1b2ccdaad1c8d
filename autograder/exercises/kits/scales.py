"""Was the guidance scale used as it was given? Labs 1, 3 and 4 guide."""

from __future__ import annotations

from torch import Tensor


def other_scale(actual: Tensor, at_zero: Tensor, direction: Tensor, w: float) -> tuple[str, str, Tensor]:
    """The mistake of code that is right for another scale than the given w: rounded, limited, or without its sign.

    Guided results lie on the line at_zero + k direction. The k of least squares is the scale that was used; this holds
    only where the code is known to be right at some scale.
    """
    k = float(((actual - at_zero) * direction).sum() / direction.square().sum())
    given, used = told_apart(w, k)
    return (
        "scale_altered",
        f"Other scales are right, but at w = {given} yours is the result for w = {used}. "
        "Use the guidance scale as it is given: not rounded, not limited, with its sign.",
        at_zero + k * direction,
    )


def told_apart(one: float, other: float) -> tuple[str, str]:
    """Write two numbers with as many digits, at least 3, as it takes to tell them apart."""
    for digits in range(3, 17):
        texts = f"{one:.{digits}g}", f"{other:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts
