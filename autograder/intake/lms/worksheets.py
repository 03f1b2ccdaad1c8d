"""Tables of an LMS with what its archive does not hold: times, names, e-mail addresses.

Moodle exports a grading worksheet; GitHub Classroom lists the repositories of an assignment ("Download grades").
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from autograder.errors import BadArchive
from autograder.intake.collect_log import CollectLog
from autograder.intake.names import display_name, student_id
from autograder.intake.people import Person, person
from autograder.intake.tables import read_csv
from autograder.intake.times import parse_time

MOODLE_TIMES = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%Y-%m-%d %H:%M:%S")
UTC_TIME = "%Y-%m-%d %H:%M:%S UTC"
MOODLE_COLUMNS = ("Identifier", "Last modified (submission)")
# https://docs.github.com/en/rest/classroom/classroom#get-assignment-grades
GITHUB_COLUMNS = ("github_username", "submission_timestamp")

Row = dict[str, str]


@dataclass(frozen=True)
class Facts:
    """What a table says about a student; each part may be missing."""

    time: datetime | None = None
    person: Person | None = None


def read_worksheet(path: Path, log: CollectLog, zone: tzinfo = UTC) -> dict[str, Facts]:
    """Return what a table says, by the number or name by which the LMS knows a student.

    A time that cannot be read is logged, because without it no late penalty applies.

    Args:
        path: The table, a CSV file.
        log: Receives a line for each time that cannot be read.
        zone: The time zone of times without one.

    Raises:
        BadArchive: The file is no such table.
    """
    columns, *lines = read_csv(path) or [[]]
    rows = [dict.fromkeys(columns, "") | dict(zip(columns, line)) for line in lines]
    if rows and all(name in columns for name in MOODLE_COLUMNS):
        return dict(moodle_rows(rows, path.name, log, zone))
    if rows and all(name in columns for name in GITHUB_COLUMNS):
        return dict(github_rows(rows, path.name, log))
    raise BadArchive(
        f"{path.name} is no grading worksheet of Moodle, which has the columns {', '.join(MOODLE_COLUMNS)}, and not "
        f"GitHub Classroom's list of grades, which has the columns {', '.join(GITHUB_COLUMNS)}"
    )


def moodle_rows(rows: list[Row], name: str, log: CollectLog, zone: tzinfo) -> Iterator[tuple[str, Facts]]:
    """Yield Moodle's number of each student with what its worksheet says.

    The worksheet may spell names differently, so the number decides. Moodle writes local times without saying so, in
    the language of the person who exported.
    """
    for row in rows:
        number = row["Identifier"].removeprefix("Participant ").strip()
        full_name, text = row.get("Full name", ""), row["Last modified (submission)"].strip()
        time = parse_moodle_time(text, zone)
        if time is None and text not in ("", "-"):
            log.skip(
                name,
                f"the submission time of {student_id(full_name or 'participant', number)}, '{display_name(text)}', "
                "cannot be read; switch Moodle to English and export the worksheet again",
            )
        elif time is not None and not text.endswith("UTC"):
            log.local_times = True
        if number:
            yield number, Facts(time, person(full_name, row.get("Email address", "")))


def parse_moodle_time(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Return a time as Moodle writes it in English, or None if it is none."""
    for form, own_zone in (*((form, zone) for form in MOODLE_TIMES), (UTC_TIME, UTC)):
        with contextlib.suppress(ValueError):
            return datetime.strptime(text, form).replace(tzinfo=own_zone).astimezone(UTC)
    return None


def github_rows(rows: list[Row], name: str, log: CollectLog) -> Iterator[tuple[str, Facts]]:
    """Yield the GitHub user name of each student with the time of the last push and the roster's identifier."""
    for row in rows:
        user, text = row["github_username"].strip(), row["submission_timestamp"].strip()
        time = None
        try:
            time = parse_time(text) if text else None
        except ValueError as error:
            why = str(error) if isinstance(error, BadArchive) else f"'{display_name(text)}' cannot be read"
            log.skip(name, f"the submission time of {student_id(user)}: {why}")
        if user:
            yield user, Facts(time, roster_person(row.get("roster_identifier", "")))


def roster_person(identifier: str) -> Person | None:
    """Return the person behind an identifier of GitHub Classroom's roster: a name, an e-mail address or a number."""
    if "@" in identifier:
        return person(email=identifier)
    return person(identifier) if " " in identifier.strip() else None
