"""Write grades for a spreadsheet, readable by their owner only and without formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from autograder.course.labs import Lab
from autograder.gradebook.rows import Row, number
from utils.checks.exercise import load

FORMULA = (*"=+-@\t\r\n", *"＝＋－＠")


def write(path: Path, text: str) -> None:
    private(path).write_text(text, encoding="utf-8", newline="")


def private(path: Path) -> Path:
    """Grades are readable by their owner only, also where the file was there before."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path


def csv_text(rows: Iterable[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([[harmless(cell) for cell in row] for row in rows])
    return buffer.getvalue()


def harmless(cell: str) -> str:
    """A spreadsheet takes a cell that begins so for a formula, and names are chosen by students."""
    return f"'{cell}" if cell[:1] in FORMULA and not re.fullmatch(r"-\d+(\.\d+)?", cell) else cell


def plain_csv(lab: Lab, rows: list[Row]) -> str:
    """A row a student, a column an exercise."""
    names = [entry.name for entry in load(lab.short)]
    head = ["student", "name", "email", "points", "max_points", "late_penalty", "not_graded_yet", *names]
    table = [head]
    for row in rows:
        scores = [number(row.scores.get(name, 0.0)) for name in names]
        facts = [number(row.points), number(row.max_points), number(row.penalty), " ".join(row.open)]
        table.append([row.student, row.name, row.email, *facts, *scores])
    return csv_text(table)
