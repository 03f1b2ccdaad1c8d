"""Let nbgrader refuse times whose zone cannot be resolved. By itself it counts PST and CEST as UTC."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from types import TracebackType

from autograder.intake.times import UnknownTimeZone, parse_time

NBGRADERS = "%Y-%m-%d %H:%M:%S.%f UTC"  # a format that nbgrader reads without doubt


def parse_utc(time: str | datetime | None) -> datetime | None:
    """Return a time in UTC, without a zone, as nbgrader keeps it. It replaces nbgrader's function of this name.

    nbgrader's own function takes the offset -0800 for 800 seconds.

    Raises:
        UnknownTimeZone: The zone cannot be resolved.
        ValueError: The text is no time.
    """
    if isinstance(time, str):
        time = parse_time(time)
    return time if time is None or time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)


def refuse_unknown_zones() -> None:
    """Let nbgrader's commands and formgrader read times with `parse_utc`; a command says why it ends."""
    from nbgrader import coursedir, utils

    utils.parse_utc = coursedir.parse_utc = parse_utc
    before = sys.excepthook

    def say(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if isinstance(error, UnknownTimeZone):
            print(error, file=sys.stderr)
        else:
            before(kind, error, traceback)

    sys.excepthook = say
