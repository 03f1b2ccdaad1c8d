"""Answers as source code, for mutants that are more than an edit of the model answer."""

from __future__ import annotations

import textwrap
from collections.abc import Callable


def editable(head: str, body: str) -> Callable[..., str]:
    """Return a function that makes the source of a plain answer with edits: `plain((OLD, NEW), …)`.

    Args:
        head: The class up to and including the line `def …:`.
        body: The lines of its last method, not indented.
    """
    return lambda *edits: with_body(head, edited(body, *edits))


def with_body(head: str, body: str) -> str:
    """Return the source of a class from its head and the body of its last method.

    Args:
        head: The class up to and including the line `def …:`.
        body: The lines of the method, not indented.
    """
    return f"{head.rstrip()}\n{textwrap.indent(body.strip(), ' ' * 8)}\n"


def edited(source: str, *edits: tuple[str, str]) -> str:
    """Return the source with each old text replaced by a new one.

    Args:
        source: Any source code.
        edits: Pairs of an old and a new text.

    Raises:
        ValueError: An old text does not occur.
    """
    for old, new in edits:
        if old not in source:
            raise ValueError(f"the source does not contain {old!r}")
        source = source.replace(old, new)
    return source


def function(head: str, body: str) -> str:
    """Return the source of a function.

    Args:
        head: Name and arguments, such as `ddim_step(x, t)`.
        body: The lines of the function, without indentation.
    """
    return f"def {head}:\n" + "".join(f"    {line}\n" if line else "\n" for line in body.strip("\n").split("\n"))
