"""Sources of whole answers, for mutants that are more than an edit of the model answer."""

from __future__ import annotations


def function(head: str, body: str) -> str:
    """Return the source of a function.

    Args:
        head: Name and arguments, such as `ddim_step(x, t)`.
        body: The lines of the function, without indentation.
    """
    return f"def {head}:\n" + "".join(f"    {line}\n" if line else "\n" for line in body.strip("\n").split("\n"))
