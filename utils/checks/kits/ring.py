"""Places on the ring [0, 1), where 1 is 0 again: differences, and what every returned place has to fulfil."""

from __future__ import annotations

from torch import Tensor

from utils.checks.judging import Judge


def on_ring(difference: Tensor) -> Tensor:
    """Return the shortest difference of two places on the ring.

    Args:
        difference: Differences of coordinates, any shape.

    Returns:
        The same differences shifted by whole turns into [-1/2, 1/2], the same shape.
    """
    return difference - difference.round()


def same_place(one: Tensor, other: Tensor, tolerance: float | Tensor) -> bool:
    """Return whether two tensors of one shape hold the same places on the ring.

    Args:
        one: Places, any shape.
        other: Places of the same shape; another shape is never the same.
        tolerance: The largest distance on the ring that counts as equal, for all places or for each.
    """
    return one.shape == other.shape and bool((on_ring(one.double() - other.double()).abs() <= tolerance).all())


def require_in_cell(judge: Judge, state: Tensor, what: str) -> None:
    """Fail unless all coordinates lie in the cell; 1 itself is accepted, because rounding can produce it.

    Args:
        judge: The judge of the exercise.
        state: The returned state.
        what: Names it in the message, such as "Your noised state".
    """
    judge.require(
        state.min() >= 0 and state.max() <= 1,
        "not_wrapped",
        f"{what} has coordinates from {float(state.min()):.7g} to {float(state.max()):.7g}. "
        "Put them back into the cell [0, 1).",
    )


def require_given_noise(judge: Judge, first: Tensor, again: Tensor, what: str) -> None:
    """Fail if two calls with the same inputs returned different states.

    Args:
        judge: The judge of the exercise.
        first: The state that the first call returned.
        again: The state that the second call returned.
        what: Names the function in the message, such as "your predictor".
    """
    judge.require(
        judge.close(again, first),
        "fresh_noise",
        f"Called twice with the same noise, {what} returns two different states. "
        "Use the noise that is passed in: draw none, and keep nothing from an earlier call.",
    )
