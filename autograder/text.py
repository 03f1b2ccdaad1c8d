"""Make text from students safe for terminals, reports and files.

Workers import this module, so it needs nothing but the standard library.
"""

from __future__ import annotations

import re

# Control characters could drive the terminal that shows a report, and lone surrogates cannot be written as UTF-8.
# The escape character stays, because IPython colours tracebacks with it; `strip_control_characters` removes it too.
UNPRINTABLE = re.compile("[\x00-\x07\x0b-\x0c\x0e-\x1a\x1c-\x1f\x7f\ud800-\udfff]")

CONTROL = re.compile(
    "\x1b\\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
LINE_ENDS = re.compile("[\t\n\x0b\x0c\r\x1c-\x1f\x85\u2028\u2029]+")
# Characters without width: two names that differ only by them look the same.
INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def replace_unprintable(text: str) -> str:
    """Replace characters that a terminal or a file cannot take with U+FFFD; keep colours and line ends."""
    return UNPRINTABLE.sub("\ufffd", text)


def strip_control_characters(text: str) -> str:
    """Remove control characters, colours and changes of the writing direction: the text of one line in a report."""
    if text.isascii() and text.isprintable():  # nearly always, and much faster than to search
        return text
    return CONTROL.sub("", text)


def one_line(text: str) -> str:
    """Return text as one line that shows all of its characters, so that it cannot pass for another line of a table."""
    return INVISIBLE.sub("", strip_control_characters(LINE_ENDS.sub(" ", text))).strip()
