"""Grades for Canvas: a file to import, or its own gradebook filled in."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from autograder.errors import ExportError
from autograder.gradebook.rows import Row, number
from autograder.gradebook.spreadsheets import csv_text

CANVAS_COLUMNS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]


POINTS_POSSIBLE = "    Points Possible"  # Canvas's second row; the blanks belong to it


# Canvas


def canvas_id(student: str) -> str:
    """`autograder collect` ends a student's id with Canvas's own number."""
    match = re.search(r"(?:^|_)(\d+)$", student)
    return match.group(1) if match else ""


def canvas_csv(rows: list[Row], column: str) -> str:
    """What Canvas imports: its own columns, the points that are possible, then the students."""
    table = [[*CANVAS_COLUMNS, column], [POINTS_POSSIBLE, "", "", "", "", number(rows[0].max_points)]]
    for row in rows:
        # Without Canvas's number, a student is known by the login.
        known = canvas_id(row.student)
        table.append([row.name, known, "", "" if known else row.student, "", number(row.points)])
    return csv_text(table)


def filled_roster(path: Path, rows: list[Row], column: str) -> tuple[str, list[str]]:
    """A gradebook that Canvas exported, cut to its first columns and this assignment; and whom it does not have.

    Raises:
        ExportError: not Canvas's file.
    """
    try:
        table = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ExportError(f"{path} cannot be read as CSV ({error})") from error
    head = table[0] if table else []
    if missing := [name for name in ("Student", "ID", "Section") if name not in head]:
        raise ExportError(f"{path.name} is no gradebook of Canvas: the column '{missing[0]}' is missing")
    kept = [index for index, name in enumerate(head) if name in CANVAS_COLUMNS or name == "Integration ID"]
    place = next((i for i, name in enumerate(head) if re.fullmatch(re.escape(column) + r"( \(\d+\))?", name)), None)
    by_key: dict[str, Row] = {}
    for row in rows:
        for key in (canvas_id(row.student), row.student, row.email):
            if key:
                by_key.setdefault(key.lower(), row)
    keys = [head.index(name) for name in ("ID", "SIS User ID", "SIS Login ID") if name in head]
    out, found = [[*(head[i] for i in kept), head[place] if place is not None else column]], set()
    for line in table[1:]:
        line = line + [""] * (len(head) - len(line))
        score = line[place] if place is not None else ""
        if line[head.index("Student")].strip() == POINTS_POSSIBLE.strip():
            score = score or number(rows[0].max_points)
        elif row := next((by_key[line[i].lower()] for i in keys if line[i].lower() in by_key), None):
            found.add(row.student)
            score = number(row.points)
        out.append([*(line[i] for i in kept), score])
    buffer = io.StringIO()
    csv.writer(buffer).writerows(out)  # as Canvas wrote it, or it would not find its students again
    return buffer.getvalue(), [row.student for row in rows if row.student not in found]
