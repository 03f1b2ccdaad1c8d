"""Read CSV files that an LMS exported. Students choose the names in them, so size and characters are bounded."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from autograder.errors import BadArchive

MAX_BYTES = 64 * 2**20  # a class of 5,000 has some 2 MiB
MAX_COLUMNS = 5000


def read_csv(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file.

    Raises:
        BadArchive: It is too large, or no CSV.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadArchive(f"{path.name} cannot be read as CSV ({error.strerror})") from error
    return parse_csv(raw, path.name)


def parse_csv(raw: bytes, name: str) -> list[list[str]]:
    """Return the rows of a CSV file. Every cell is text, so an id such as 00123 stays as it is.

    Args:
        raw: The content of the file.
        name: Its name for messages.

    Raises:
        BadArchive: It is too large, or no CSV.
    """
    if len(raw) > MAX_BYTES:
        raise BadArchive(f"{name} has more than {MAX_BYTES // 2**20} MB, so it is no table of a class")
    if b"\0" in raw:
        raise BadArchive(f"{name} cannot be read as CSV (it has null bytes)")
    try:
        rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadArchive(f"{name} cannot be read as CSV ({error})") from error
    if max(map(len, rows), default=0) > MAX_COLUMNS:
        raise BadArchive(f"{name} has more than {MAX_COLUMNS:,} columns, so it is no table of a class")
    return rows
