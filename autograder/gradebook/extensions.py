"""Give single students more time: a table, `extensions.csv`, becomes nbgrader's own extensions.

nbgrader adds an extension to the due date before it computes how late a submission is, so every late plug-in works with
it, and no submission time is changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autograder.course.labs import Lab, find_lab
from autograder.errors import BadArchive, NoSuchLab
from autograder.intake.tables import read_csv
from autograder.intake.times import parse_time
from autograder.text import one_line

TABLE = "extensions.csv"  # in the course's folder
COLUMNS = ("student", "lab", "extension")
HOURS = re.compile(r"\+?(\d{1,4}(?:\.\d{1,2})?)(?: ?h(?:ours?)?)?")
DATE = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")
# A zone or an offset follows a time of day.
ZONED = re.compile(r"\d\d:\d\d(?::\d\d)?(?:Z| ?[^\sA-Za-z+-]{0,20}[A-Za-z+-]\S{0,60})$")


@dataclass(frozen=True)
class Extension:
    """A row of the table.

    Attributes:
        line: Its line in the file, for messages.
        student: The student's id.
        lab: The lab's name; "" for all labs.
        time: How much later the work is due, or when.
    """

    line: int
    student: str
    lab: str
    time: timedelta | datetime

    def added_to(self, due: datetime) -> timedelta:
        """Return how much later than the due date of the class, in UTC, the work is due."""
        return self.time if isinstance(self.time, timedelta) else self.time - due


def read_extensions(path: Path) -> tuple[list[Extension], list[str]]:
    """Return the rows of a table, and one line for each row that cannot be used.

    A table that cannot be read has no rows and one such line. If there is no table, there is nothing.
    """
    if not path.is_file():
        return [], []
    try:
        columns, *lines = read_csv(path) or [[]]
        columns = [column.strip().lower() for column in columns]
        if missing := [name for name in COLUMNS if name not in columns]:
            raise BadArchive(f"{path.name} has no column '{missing[0]}'; it needs {','.join(COLUMNS)}, with commas")
    except BadArchive as error:
        return [], [f"{error}. No extension was applied"]
    rows, problems = [], []
    for number, cells in enumerate(lines, 2):
        row = dict.fromkeys(COLUMNS, "") | {name: cell.strip() for name, cell in zip(columns, cells)}
        if any(row.values()):
            try:
                rows.append(read_row(number, row))
            except BadArchive as error:
                problems.append(f"{path.name}, line {number}, was left out: {error}")
    return rows, problems


def read_row(number: int, row: dict[str, str]) -> Extension:
    """Return an extension.

    Raises:
        BadArchive: A cell cannot be used; the message says why.
    """
    if not row["student"]:
        raise BadArchive("it names no student")
    try:
        lab = find_lab(row["lab"]).name if row["lab"] else ""
    except NoSuchLab as error:
        raise BadArchive(one_line(str(error))) from error
    return Extension(number, row["student"], lab, read_extension(row["extension"]))


def read_extension(text: str) -> timedelta | datetime:
    """Return hours such as `48` or `1.5 h` as a span, and a new due time in UTC.

    Raises:
        BadArchive: The text is neither, or the time has no zone that can be resolved.
    """
    if hours := HOURS.fullmatch(text):
        return timedelta(hours=float(hours[1]))
    shown = one_line(text)[:40]
    neither = BadArchive(f"'{shown}' is neither hours, such as 48, nor a time, such as 2026-12-02 23:59 UTC")
    if not DATE.match(text):
        raise neither
    if not ZONED.search(text):
        raise BadArchive(f"the time '{shown}' needs a zone, such as UTC or Europe/Berlin")
    try:
        return parse_time(text)
    except BadArchive:
        raise
    except ValueError:
        raise neither from None


def extension_of(rows: list[Extension], student: str, lab: Lab) -> Extension | None:
    """Return the extension of a student: that of the lab before that of all labs, the last of several."""
    mine = [row for row in rows if row.student == student and row.lab in ("", lab.name)]
    return max(mine, key=lambda row: (bool(row.lab), row.line), default=None)


def apply_extension(book: Any, table: Path, lab: Lab, student: str) -> None:
    """Set the extension of one submission in nbgrader's gradebook, as the table says.

    Args:
        book: The open gradebook, which has the submission.
        table: The table.
        lab: The lab.
        student: The student's id.
    """
    row, due = extension_of(read_extensions(table)[0], student, lab), due_date(book, lab)
    added = row.added_to(due) if row and due else timedelta()
    # nbgrader cannot add an extension to a due date that is not set.
    book.find_submission(lab.name, student).extension = added if added > timedelta() else None
    book.db.commit()


def due_date(book: Any, lab: Lab) -> datetime | None:
    """Return the due date of a lab in UTC, or None if the gradebook has none."""
    due = book.find_assignment(lab.name).duedate
    return None if due is None else due.replace(tzinfo=UTC)


def check_extensions(book: Any, table: Path, lab: Lab, students: list[str]) -> list[str]:
    """Return one line for each row of the table that has no effect on a lab, although it looks as if it had.

    Args:
        book: The open gradebook, which has the assignment.
        table: The table.
        lab: The lab.
        students: The ids of the students who have submitted it.
    """
    rows, problems = read_extensions(table)
    mine = [row for row in rows if row.lab in ("", lab.name)]
    due = due_date(book, lab)
    if mine and due is None:
        return [*problems, f"{table.name} has no effect: {lab.name} has no due date (nbgrader db assignment add)"]
    for row in mine:
        if row.lab and row.student not in students:
            problems.append(
                f"{table.name}, line {row.line}: no submission of {lab.name} is from '{one_line(row.student)}'"
            )
        elif due is not None and row.added_to(due) <= timedelta():
            problems.append(
                f"{table.name}, line {row.line}, gives no time: it is not after the due date, {due:%F %T} UTC"
            )
    return problems
