"""The names and e-mail addresses of students, and the table in which `collect` keeps them for the gradebook."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.errors import BadArchive
from autograder.files import replace_file
from autograder.intake.tables import read_csv
from autograder.text import one_line

TABLE = "students.csv"  # in the folder of the submissions; `nbgrader db student import` reads it, too
COLUMNS = ("id", "first_name", "last_name", "email")
MAX_NAME = 100  # characters; a server's gradebook has room for 128

# nbgrader writes names into its CSV without quotes, and a spreadsheet evaluates a cell that begins with a sign.
UNSAFE = re.compile(r'[,;|<>"`\\{}]+')
SIGNS = "=+-@＝＋－＠﹢﹣﹦﹫'"
EMAIL = re.compile(r"[^\s@,;<>\"'=|]+@[^\s@,;<>\"'|]+")


@dataclass(frozen=True)
class Person:
    """What an archive says about a student; each part may be empty."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""

    def updated(self, newer: Person | None) -> Person:
        """Return this person with the parts that a newer source knows. A name is taken as a whole."""
        if newer is None:
            return self
        named = newer if newer.first_name or newer.last_name else self
        return replace(named, email=newer.email or self.email)


def clean_name(text: str) -> str:
    """Return a name as one line that cannot break a page or a table: students choose their names in an LMS."""
    return UNSAFE.sub(" ", one_line(text)).strip().lstrip(SIGNS).strip()[:MAX_NAME]


def clean_email(text: str) -> str:
    """Return an e-mail address, or "" if the text is none."""
    text = one_line(text).lstrip(SIGNS)
    return text if len(text) <= MAX_NAME and EMAIL.fullmatch(text) else ""


def person(full_name: str = "", email: str = "") -> Person:
    """Return a person from a full name, "Ada Lovelace" or "Lovelace, Ada".

    Without a comma the last word counts as the last name, because no archive says where the last name begins.
    """
    last, comma, first = full_name.partition(",")
    if not comma:
        first, _, last = full_name.strip().rpartition(" ")
    return Person(clean_name(first), clean_name(last), clean_email(email))


def read_people(folder: Path) -> dict[str, Person]:
    """Return the students of a folder of submissions by their ids; {} if it has no table.

    Raises:
        BadArchive: The table cannot be read.
    """
    path = folder / TABLE
    if not path.is_file():
        return {}
    columns, *lines = read_csv(path) or [[]]
    if "id" not in columns:
        raise BadArchive(f"{path} has no column 'id', so no names were read from it")
    rows = [dict(zip(columns, line)) for line in lines]
    return {
        row["id"]: Person(
            clean_name(row.get("first_name", "")),
            clean_name(row.get("last_name", "")),
            clean_email(row.get("email", "")),
        )
        for row in rows
        if row.get("id")
    }


def write_people(folder: Path, people: dict[str, Person]) -> None:
    """Add students to the table of a folder of submissions.

    Raises:
        BadArchive: The table that is there cannot be read.
    """
    known = read_people(folder)
    table = known | {student: known.get(student, Person()).updated(someone) for student, someone in people.items()}
    table = {student: someone for student, someone in table.items() if someone != Person()}
    if not table or table == known:
        return
    buffer = io.StringIO()
    rows = [[student, p.first_name, p.last_name, p.email] for student, p in sorted(table.items())]
    csv.writer(buffer, lineterminator="\n").writerows([COLUMNS, *rows])
    replace_file(folder / TABLE, buffer.getvalue(), 0o600)
