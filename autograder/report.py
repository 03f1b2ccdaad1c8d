"""One grade as a table in the terminal."""

from __future__ import annotations

import re

from markupsafe import Markup
from markupsafe import escape as escape_html
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.grade import Grade


def print_grade(grade: Grade, console: Console | None = None) -> None:
    """Points and findings of each exercise, then what was repaired and what went wrong."""
    console = console or Console()
    document = grade.to_json()
    table = Table(title=f"{grade.lab}: {grade.points:g} of {grade.max_points:g} automatic points", title_justify="left")
    table.add_column("exercise", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("findings", overflow="fold")
    for name, row in document["exercises"].items():
        points = "by hand" if row["manual"] else f"{row['points']:g}"
        found = "\n".join(f"{f['code']}: {f['message']}" for f in row["findings"])
        table.add_row(
            name,
            f"{points} / {row['max_points']:g}",
            escape(found),
            style=None if row["manual"] or row["findings"] else "green",
        )
    console.print(table)
    for line in grade.repairs:
        console.print(f"repaired: {line}", markup=False)
    for line in grade.problems:
        console.print(f"problem: {line}", markup=False)


def prose(text: str) -> Markup:
    """A finding for a page: `names in backticks` are code, and nothing of it is markup."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape_html(text))))
