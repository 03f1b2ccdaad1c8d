"""Grades for Canvas: a file to import, or its own exported gradebook with the points filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import BadArchive, ExportError
from autograder.gradebook.read_gradebook import GradebookRow, format_points
from autograder.gradebook.spreadsheets import csv_text
from autograder.intake.tables import read_csv

CANVAS_COLUMNS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
KEPT_COLUMNS = (*CANVAS_COLUMNS, "Integration ID")
KEY_COLUMNS = ("ID", "SIS User ID", "SIS Login ID")  # any of them identifies a student
NEEDED_COLUMNS = ("Student", "ID", "Section")
POINTS_POSSIBLE = "    Points Possible"  # Canvas's second row; the spaces belong to it


def canvas_id(student: str) -> str:
    """Return Canvas's number of a student, or "": `autograder collect` ends the student's id with it."""
    match = re.search(r"(?:^|_)(\d+)$", student)
    return match.group(1) if match else ""


def canvas_csv(rows: list[GradebookRow], column: str) -> str:
    """Return a CSV that Canvas imports: its own columns, the possible points, then the students.

    Args:
        rows: The rows of the gradebook; at least one.
        column: The assignment's name in Canvas.
    """
    table = [[*CANVAS_COLUMNS, column], [POINTS_POSSIBLE, "", "", "", "", format_points(rows[0].max_points)]]
    for row in rows:
        number = canvas_id(row.student)
        login = "" if number else row.student  # without Canvas's number, the login identifies a student
        table.append([row.name, number, "", login, "", format_points(row.points)])
    return csv_text(table)


@dataclass(frozen=True)
class Roster:
    """A gradebook that Canvas exported: its column names, and its other lines, each of the same length."""

    columns: list[str]
    lines: list[list[str]]

    def students_column(self) -> int:
        """Return the index of the column with names."""
        return self.columns.index("Student")

    def assignment_column(self, name: str) -> int | None:
        """Return the index of an assignment's column, or None. Canvas adds its own number: "Lab 4 (77)"."""
        pattern = re.escape(name) + r"( \(\d+\))?"
        return next((i for i, column in enumerate(self.columns) if re.fullmatch(pattern, column)), None)

    def keys(self, line: list[str]) -> list[str]:
        """Return everything in a line that identifies its student, in lower case."""
        return [line[self.columns.index(name)].lower() for name in KEY_COLUMNS if name in self.columns]


def read_roster(path: Path) -> Roster:
    """Return a gradebook that Canvas exported.

    Raises:
        ExportError: The file cannot be read, or is not from Canvas.
    """
    try:
        table = read_csv(path)
    except BadArchive as error:
        raise ExportError(str(error)) from error
    columns = table[0] if table else []
    if missing := [name for name in NEEDED_COLUMNS if name not in columns]:
        raise ExportError(f"{path.name} is not a gradebook from Canvas: the column '{missing[0]}' is missing")
    return Roster(columns, [line + [""] * (len(columns) - len(line)) for line in table[1:]])


def filled_roster(path: Path, rows: list[GradebookRow], column: str) -> tuple[str, list[str]]:
    """Fill the points of an assignment into a gradebook that Canvas exported.

    Args:
        path: The exported gradebook.
        rows: The rows of our gradebook; at least one.
        column: The assignment's name in Canvas.

    Returns:
        The CSV with Canvas's first columns and this assignment, and the ids of the students who are not in it.

    Raises:
        ExportError: The file is not from Canvas.
    """
    roster = read_roster(path)
    kept = [i for i, name in enumerate(roster.columns) if name in KEPT_COLUMNS]
    assignment = roster.assignment_column(column)
    by_key = rows_by_key(rows)
    table = [[*(roster.columns[i] for i in kept), column if assignment is None else roster.columns[assignment]]]
    found = set()
    for line in roster.lines:
        points = "" if assignment is None else line[assignment]
        if line[roster.students_column()].strip() == POINTS_POSSIBLE.strip():
            points = points or format_points(rows[0].max_points)
        elif row := next((by_key[key] for key in roster.keys(line) if key in by_key), None):
            found.add(row.student)
            points = format_points(row.points)
        table.append([*(line[i] for i in kept), points])
    return csv_text(table), [row.student for row in rows if row.student not in found]


def rows_by_key(rows: list[GradebookRow]) -> dict[str, GradebookRow]:
    """Return the rows by everything that may identify a student in Canvas, in lower case; the first row wins."""
    by_key: dict[str, GradebookRow] = {}
    for row in rows:
        for key in (canvas_id(row.student), row.student, row.email):
            if key:
                by_key.setdefault(key.lower(), row)
    return by_key
