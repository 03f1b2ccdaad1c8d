"""Text that programs print, made fit for a page."""

from __future__ import annotations

import re

COLUMNS = 98  # letters of code on a line; a longer line continues on the next one
WIDE_TABLE = 3, 140  # so many lines that are longer, but no longer than this, make a wide table
MAX_LINES = 400  # of one output; a note says how many are left out
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
BREAK = "\u200b"  # a space without width, where a line may break


def clean(text: str) -> str:
    r"""Remove terminal colours and control characters. Of a redrawn line, such as a progress bar, keep the last state.

    Args:
        text: What a program printed.

    Returns:
        Text that the PDF can show.

    Example:
        >>> clean("\x1b[31mred\x1b[0m 10%\rred 99%")
        'red 99%'
    """
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in ESCAPES.sub("", text).split("\n"))
    return CONTROL.sub("", "\n".join(lines)).expandtabs(4)


def shorten(text: str) -> str:
    """Cut a long output and say how many lines are missing.

    Args:
        text: An output.

    Returns:
        At most `MAX_LINES` lines, and a note if there were more.
    """
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= MAX_LINES:
        return "\n".join(lines)
    return "\n".join([*lines[:MAX_LINES], f"[{len(lines) - MAX_LINES} more lines are in the notebook]"])


def is_wide_table(text: str) -> bool:
    """Return whether an output is a table that fits on a page if its letters are smaller.

    Args:
        text: an output.

    Returns:
        True if several lines are longer than `COLUMNS`, and none is very long.
    """
    longer = [len(line) for line in text.split("\n") if len(line) > COLUMNS]
    return len(longer) >= WIDE_TABLE[0] and max(longer) <= WIDE_TABLE[1]


def breakable(text: str, room: int = 60) -> str:
    r"""Let words break that are longer than a line.

    Args:
        text: prose, code or an output.
        room: the letters that fit on a line, however deep it is indented.

    Returns:
        The text, with a space without width after every `room` letters of a word.

    Example:
        >>> ascii(breakable("x" * 61)[59:])
        "'x\\u200bx'"
    """
    return re.sub(rf"\S{{{room}}}(?=\S)", rf"\g<0>{BREAK}", text)


def join(text: str | list[str]) -> str:
    """Join a text that a notebook may store as a list of lines.

    Args:
        text: A text or a list of its lines.

    Returns:
        The text.
    """
    return text if isinstance(text, str) else "".join(text)
