"""Moodle: one folder for each participant, and the submission times in a grading worksheet."""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from autograder.errors import BadArchive
from autograder.intake.collected import CollectLog
from autograder.intake.lms.base import Owned, SubmittedFile
from autograder.intake.names import display_name, student_id
from autograder.intake.tables import read_csv

# Name Surname_12345_assignsubmission_file/x.ipynb; before Moodle 4.1 …_file_/x.ipynb; without folders …_file_x.ipynb
# The shortest name counts: students choose what follows, and may imitate the name of another student there.
MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<user>[0-9]{1,20})_assignsubmission_(?:file|onlinetext)(?:/|_/?)(?P<file>.+)")
MOODLE_TIMES = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S")
NEEDED = ("Identifier", "Last modified (submission)")


def moodle(entries: Iterable[zipfile.ZipInfo]) -> Iterator[Owned]:
    """Yield each entry of a Moodle archive with the file of its student."""
    for entry in entries:
        match = MOODLE.search(entry.filename)  # not fullmatch: group mode adds a folder around everything
        if match is None:
            yield entry, None
            continue
        student, prefix = student_id(match["name"], match["user"]), match.string[: match.start("file")]
        attempt, user = (entry.date_time,), match["user"]
        yield entry, [SubmittedFile(student, entry.filename, b"", attempt, lms="moodle", user=user, prefix=prefix)]


def read_times(path: Path, log: CollectLog) -> dict[str, datetime]:
    """Return the submission times from Moodle's grading worksheet, by Moodle's number of the student.

    The worksheet may spell names differently, so the number decides. Moodle writes local times without saying so, in
    the language of the person who exported; they are read as UTC. A time that cannot be read is logged, because without
    it no late penalty applies.

    Args:
        path: The worksheet, a CSV file.
        log: Receives a line for each time that cannot be read.

    Raises:
        BadArchive: The file is no grading worksheet.
    """
    times = {}
    for row in read_worksheet(path):
        number = (row["Identifier"] or "").removeprefix("Participant ").strip()
        student = student_id(row.get("Full name") or "participant", number)
        text = (row["Last modified (submission)"] or "").strip()
        if number and (time := parse_moodle_time(text)):
            times[number] = time
        elif text not in ("", "-"):
            log.skip(
                path.name,
                f"the submission time of {student}, '{display_name(text)}', cannot be read; "
                "switch Moodle to English and export the worksheet again",
            )
    return times


def read_worksheet(path: Path) -> list[dict[str, str | None]]:
    """Return the rows of a grading worksheet.

    Raises:
        BadArchive: The file cannot be read, or a column is missing.
    """
    columns, *lines = read_csv(path) or [[]]
    rows: list[dict[str, str | None]] = [
        dict(zip(columns, line)) | dict.fromkeys(columns[len(line) :]) for line in lines
    ]
    if not rows or any(name not in rows[0] for name in NEEDED):
        raise BadArchive(f"{path.name} is no grading worksheet of Moodle: it needs the columns {', '.join(NEEDED)}")
    return rows


def parse_moodle_time(text: str) -> datetime | None:
    """Return a time as Moodle writes it in English, or None if it is none."""
    for form in MOODLE_TIMES:
        with contextlib.suppress(ValueError):
            return datetime.strptime(text, form).replace(tzinfo=UTC)
    return None
