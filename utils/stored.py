"""What the labs' later cells show where an earlier answer is missing: arrays that were computed once, never code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from utils.training import CHECKPOINTS, load_tensors

T = TypeVar("T")


def reason(error: Exception) -> str:
    """An error's kind and first words, in one line."""
    return f"{type(error).__name__}: {error}".removesuffix(": ").splitlines()[0][:200]


def or_stored(compute: Callable[[], T], stored: Callable[[], T], what: str) -> T:
    """compute(), or where that raises, stored() with one line that says so."""
    try:
        return compute()
    except Exception as error:  # a student's answer may raise anything
        print(f"{what}: an earlier answer is missing or fails ({reason(error)}). These are stored results, not yours.")
        return stored()


def show_or_say(show: Callable[[], object], needs: str) -> None:
    """show(), or where that raises, one line: which exercises this cell needs, and what went wrong."""
    try:
        show()
    except NotImplementedError:
        print(f"Answer {needs} to see this.")
    except Exception as error:  # a student's answer may raise anything
        print(f"This cell needs a right answer to {needs}. With yours it fails: {reason(error)}")


def drawn(draw: Callable[[], object], needs: str) -> None:
    """draw(), or where an answer that it needs is missing, one line that says which."""
    try:
        draw()
    except Exception as error:  # a student's answer may raise anything
        print(f"This picture needs {needs} ({reason(error)}).")


def stored_tensors(name: str) -> dict[str, Tensor]:
    """The arrays of `checkpoints/<name>.safetensors`."""
    return load_tensors(CHECKPOINTS / f"{name}.safetensors")[0]


def stored_images(name: str, key: str) -> Tensor:
    """Images that were kept as bytes, as floats in [-1, 1]."""
    return stored_tensors(name)[key].float() / 127.5 - 1


def stored_table(name: str) -> dict:
    """The numbers of `checkpoints/<name>.json`."""
    return json.loads((CHECKPOINTS / f"{name}.json").read_text(encoding="utf-8"))
