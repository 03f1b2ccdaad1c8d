"""Read times and time zones. A zone that cannot be resolved is an error: counted as UTC, it would shift due dates."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, tzinfo

import dateutil.parser
import dateutil.tz

from autograder.errors import BadArchive
from autograder.text import one_line

MAX_TEXT = 100  # characters of a time


class UnknownTimeZone(BadArchive):
    """Raised when a time names a zone that cannot be resolved. The message is a sentence."""


def find_zone(name: str) -> tzinfo:
    """Return the time zone of this name, such as `Europe/Berlin` or `UTC`.

    Raises:
        UnknownTimeZone: There is none. Abbreviations such as PST or CEST stand for several zones.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise unknown_zone(name) from None


def unknown_zone(name: str) -> UnknownTimeZone:
    """Return the error about a zone that cannot be resolved."""
    return UnknownTimeZone(
        f"the time zone {one_line(name)[:30]!r} cannot be resolved; write an offset (2026-11-30 23:59:00 -0800), UTC, "
        "or a name such as Europe/Berlin"
    )


def parse_time(text: str) -> datetime:
    """Return a time in UTC. A time without a zone is in UTC, as everywhere in nbgrader.

    Raises:
        UnknownTimeZone: Its zone cannot be resolved.
        ValueError: The text is no time.
    """
    words = one_line(text[:MAX_TEXT]).split(" ")
    zone: tzinfo | None = None
    if len(words) == 3 and is_zone_name(words[2]):
        zone = resolve(words[2])  # dateutil does not read names such as Europe/Berlin
        words = words[:2]
    try:
        time = dateutil.parser.parse(" ".join(words), tzinfos=resolve_parsed)
        time = time if time.tzinfo else time.replace(tzinfo=zone or UTC)
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def is_zone_name(word: str) -> bool:
    """Tell whether a word after date and time names a zone; +0200, Z and PM do not."""
    return word.upper() not in ("Z", "AM", "PM") and any(letter.isalpha() for letter in word)


def resolve(name: str) -> tzinfo:
    """Return the zone of a name as nbgrader resolves it.

    Raises:
        UnknownTimeZone: It cannot be resolved.
    """
    found = None if name.startswith("/") else dateutil.tz.gettz(name)
    if found is None:
        raise unknown_zone(name)
    return found


def resolve_parsed(name: str | None, offset: int | None) -> tzinfo | None:
    """Return the zone of what dateutil has found in a time: a name, an offset, both or nothing."""
    if offset is not None:
        return dateutil.tz.tzoffset(name, offset)
    return resolve(name) if name else None
