"""Text from students, made fit for terminals and reports. Only the standard library: workers import it."""

from __future__ import annotations

import re

# Control characters could drive the terminal that shows a report, and lone surrogates cannot be written as UTF-8.
# Escape stays in outputs, because tracebacks are coloured with it; `plain` takes it away too.
UNPRINTABLE = re.compile("[\x00-\x07\x0b-\x0c\x0e-\x1a\x1c-\x1f\x7f\ud800-\udfff]")


CONTROL = re.compile(
    "\x1b\\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    return UNPRINTABLE.sub("\ufffd", text)


def plain(text: str) -> str:
    """For one line of a report: no control characters, no colours, no change of the writing direction."""
    return CONTROL.sub("", text)
