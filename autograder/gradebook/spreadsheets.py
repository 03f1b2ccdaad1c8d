"""Write grades for a spreadsheet: readable for their owner only, and without formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from autograder.course.labs import Lab
from autograder.gradebook.read_gradebook import GradebookRow, format_points
from utils.checks.exercise import load

# A spreadsheet takes a cell for a formula if it begins with one of these. Some programs skip blanks, invisible
# characters or quotes before it, and where the decimal sign is a comma, a semicolon begins a new cell.
SIGNS = "=+\\-@＝＋－＠﹢﹣﹦﹫"
SKIPPED = "\\s\\x00-\\x20\\x7f-\\xa0\xad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\"'`´‘’“”„«»"
BEGINS = re.compile(f"[{SKIPPED}]*[{SIGNS}]")
# A sign with all that is skipped before it, from the first character on: the look behind keeps this linear.
LED = re.compile(f"(?:[;|]|(?<![{SKIPPED}]))[{SKIPPED}]*[{SIGNS}]")
SEPARATOR = re.compile("([;\\t\\n\\r\\x0b\\x0c|])")
NUMBER = re.compile(r"-\d+(\.\d+)?")


def write_private(path: Path, text: str) -> None:
    """Write a text file that only its owner can read."""
    make_private_file(path).write_text(text, encoding="utf-8", newline="")


def make_private_file(path: Path) -> Path:
    """Make a file readable for its owner only, also if it exists already, and return its path."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path


def csv_text(rows: Iterable[list[str]]) -> str:
    """Return rows as CSV without formulas."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([[without_formula(cell) for cell in row] for row in rows])
    return buffer.getvalue()


def without_formula(cell: str) -> str:
    """Return a cell that no spreadsheet evaluates, because students choose names; a negative number may stay."""
    if NUMBER.fullmatch(cell):
        return cell
    cell = LED.sub(lambda led: SEPARATOR.sub(r"\1'", led[0]), cell)
    return f"'{cell}" if (cell[:1] in "\t\r\n" and cell) or BEGINS.match(cell) else cell


def plain_csv(lab: Lab, rows: list[GradebookRow]) -> str:
    """Return CSV with one row for each student and one column for each exercise."""
    names = [exercise.name for exercise in load(lab.short)]
    table = [["student", "name", "email", "points", "max_points", "late_penalty", "not_graded_yet", *names]]
    for row in rows:
        totals = [format_points(value) for value in (row.points, row.max_points, row.penalty)]
        scores = [format_points(row.scores.get(name, 0.0)) for name in names]
        table.append([row.student, row.name, row.email, *totals, " ".join(row.open), *scores])
    return csv_text(table)
