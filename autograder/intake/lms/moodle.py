"""Moodle: a folder a participant, and the times in a grading worksheet."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path

from autograder.errors import BadArchive
from autograder.intake.lms.base import Collected, File, printable, student_id

# Name Surname_12345_assignsubmission_file/x.ipynb; before Moodle 4.1 …_file_/x.ipynb; without folders …_file_x.ipynb
# The shortest name counts: what follows is the student's to choose, and may look like another student's.
MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<user>\d+)_assignsubmission_(?:file|onlinetext)(?:/|_/?)(?P<file>.+)")


MOODLE_TIMES = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S")


def moodle(entries):
    for entry in entries:
        # An archive of a group mode has a folder around it.
        match = MOODLE.search(entry.filename)
        if match is None:
            yield entry, None
            continue
        student, prefix = student_id(match["name"], match["user"]), match.string[: match.start("file")]
        attempt, user = (entry.date_time,), match["user"]
        yield entry, [File(student, entry.filename, b"", attempt, lms="moodle", user=user, prefix=prefix)]


def read_times(path: Path, result: Collected) -> dict[str, datetime]:
    """Moodle's number of a student -> time of arrival, from its grading worksheet, where names may be spelled otherwise.

    Its times are taken as UTC: Moodle does not say. It writes them in the language of who exports. A time that cannot be read
    is told: without it nobody is late.

    Raises:
        BadArchive: not such a file.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadArchive(f"{path.name} cannot be read as CSV ({error})") from error
    needed = ("Identifier", "Last modified (submission)")
    if not rows or any(name not in rows[0] for name in needed):
        raise BadArchive(f"{path.name} is no grading worksheet of Moodle: it needs the columns {', '.join(needed)}")
    times = {}
    for row in rows:
        number = (row["Identifier"] or "").removeprefix("Participant ").strip()
        who = student_id(row.get("Full name") or "participant", number)
        words = (row["Last modified (submission)"] or "").strip()
        if number and (time := moodle_time(words)):
            times[number] = time
        elif words not in ("", "-"):
            result.leave(
                path.name,
                f"{who}'s time of arrival, '{printable(words)}', cannot be read; export it in English",
            )
    return times


def moodle_time(words: str) -> datetime | None:
    for form in MOODLE_TIMES:
        with contextlib.suppress(ValueError):
            return datetime.strptime(words, form).replace(tzinfo=UTC)
    return None
