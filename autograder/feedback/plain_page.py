"""A plain feedback page, for a student whose notebook could not be turned into one: points and reasons as text."""

from __future__ import annotations

import html
from pathlib import Path

from autograder.course.labs import Lab, title
from autograder.gradebook.outcomes import late_notice, outcomes
from autograder.gradebook.rows import GradebookRow, format_points
from autograder.gradebook.spreadsheets import write_private

HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 56rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
"""
WHY = (
    "Your notebook could not be shown on this page, because formatting it takes too much time or memory. "
    "Your points are not affected. A person will look at it."
)


def write_plain_page(lab: Lab, row: GradebookRow, course: Path) -> Path:
    """Write a plain page in place of a student's feedback page, and return its path."""
    place = course / "feedback" / row.student / lab.name / f"{lab.name}.html"
    place.parent.mkdir(parents=True, exist_ok=True)
    write_private(place, plain_page(lab, row, course))
    return place


def plain_page(lab: Lab, row: GradebookRow, course: Path) -> str:
    """Return the page; everything on it is escaped text."""
    points = f"{format_points(row.points)} of {format_points(row.max_points)} points. {late_notice(row)}"
    parts = [
        HEAD.format(title=html.escape(f"{row.student}: {lab.name}")),
        f"<h1>{html.escape(title(lab))}</h1>\n<p>Feedback for {html.escape(row.student)}</p>\n",
        f"<p><b>{html.escape(points)}</b></p>\n<p>{WHY}</p>\n",
    ]
    for outcome in outcomes(lab, row, course):
        earned = f"{format_points(outcome.points)} of {format_points(outcome.exercise.points)}"
        parts.append(
            f"<h2>{html.escape(outcome.exercise.title)}: {earned}</h2>\n<pre>{html.escape(outcome.text)}</pre>\n"
        )
    return "".join([*parts, "</main>\n</body>\n</html>\n"])
