"""What a lab's later cells show if an earlier answer is missing: arrays that were computed in advance, never code."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from utils.training import CHECKPOINTS, load_tensors

T = TypeVar("T")


def reason(error: Exception) -> str:
    """Describe an exception in one line.

    Args:
        error: any exception.

    Returns:
        Its type and the first line of its message, at most 200 characters.

    Example:
        >>> reason(ValueError("too small"))
        'ValueError: too small'
    """
    return f"{type(error).__name__}: {error}".removesuffix(": ").splitlines()[0][:200]


def is_strict() -> bool:
    """Tell whether errors are raised instead of explained: where `LAB_STRICT` is set.

    The course's own tests set it. There every answer is right, so a picture or a training that fails is a fault of the
    course, and stored results would hide it.

    Returns:
        True if errors are raised.
    """
    return bool(os.environ.get("LAB_STRICT"))


def or_precomputed(compute: Callable[[], T], precomputed: Callable[[], T], what: str) -> T:
    """Return compute(). If that raises, print one line that says so, and return precomputed().

    Args:
        compute: uses the student's answers, and may raise any exception.
        precomputed: loads the result that was computed in advance.
        what: the name of the result, for the line.

    Returns:
        The student's result or the precomputed one.

    Example:
        >>> or_precomputed(lambda: 1 / 0, lambda: 7, "The grid")  # doctest: +ELLIPSIS
        The grid: an earlier answer is missing or fails (ZeroDivisionError: division by zero). These are stored ...
        7
    """
    try:
        return compute()
    except Exception as error:  # a student's answer may raise anything
        if is_strict():
            raise
        print(f"{what}: an earlier answer is missing or fails ({reason(error)}). These are stored results, not yours.")
        return precomputed()


def show_or_say(show: Callable[[], object], needs: str) -> None:
    """Call show(). If that raises, print one line that names the exercises this cell needs and the error.

    Args:
        show: draws or prints, and may raise any exception.
        needs: the numbers of the exercises.

    Example:
        >>> show_or_say(lambda: 1 / 0, "2.1")
        This cell needs a right answer to 2.1. With yours it fails: ZeroDivisionError: division by zero
    """
    try:
        show()
    except NotImplementedError:
        if is_strict():
            raise
        print(f"Answer {needs} to see this.")
    except Exception as error:  # a student's answer may raise anything
        if is_strict():
            raise
        print(f"This cell needs a right answer to {needs}. With yours it fails: {reason(error)}")


def drawn(draw: Callable[[], object], needs: str) -> None:
    """Call draw(). If that raises, print one line that names the exercises this picture needs and the error.

    Args:
        draw: draws, and may raise any exception.
        needs: the numbers of the exercises.
    """
    try:
        draw()
    except Exception as error:  # a student's answer may raise anything
        if is_strict():
            raise
        print(f"This picture needs {needs} ({reason(error)}).")


def stored_tensors(name: str) -> dict[str, Tensor]:
    """Load the arrays of `checkpoints/<name>.safetensors`.

    Args:
        name: the file's name without its ending.

    Returns:
        Tensors by name.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return load_tensors(CHECKPOINTS / f"{name}.safetensors")[0]


def stored_images(name: str, key: str) -> Tensor:
    """Load images that were stored as bytes.

    Args:
        name: the file's name without its ending.
        key: the name of the tensor in it, shape (…, c, h, w), uint8.

    Returns:
        The images as floats in [-1, 1], of the same shape.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return stored_tensors(name)[key].float() / 127.5 - 1


def stored_table(name: str) -> dict:
    """Load the numbers of `checkpoints/<name>.json`.

    Args:
        name: the file's name without its ending.

    Returns:
        What the file holds.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return json.loads((CHECKPOINTS / f"{name}.json").read_text(encoding="utf-8"))
