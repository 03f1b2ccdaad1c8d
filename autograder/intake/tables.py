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
        if len(raw) > MAX_BYTES:
            raise BadArchive(f"{path.name} has more than {MAX_BYTES // 2**20} MB, so it is no table of a class")
        if b"\0" in raw:
            raise BadArchive(f"{path.name} cannot be read as CSV (it has null bytes)")
        rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadArchive(f"{path.name} cannot be read as CSV ({reason})") from error
    if max(map(len, rows), default=0) > MAX_COLUMNS:
        raise BadArchive(f"{path.name} has more than {MAX_COLUMNS:,} columns, so it is no table of a class")
    return rows
