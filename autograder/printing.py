"""What commands print in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.judging.class_run import ClassRun
from autograder.judging.grade import Grade
from utils.checks.exercise import load

if TYPE_CHECKING:  # only for annotations: exporting loads far more than printing needs
    from autograder.export import ExportResult
    from autograder.intake.collected import Collected


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
    for line in (*grade.problems, *grade.faults):
        console.print(f"problem: {line}", markup=False)


def print_class(class_run: ClassRun, console: Console | None = None) -> None:
    """Student by exercise, then every finding in words."""
    console = console or Console(width=max(Console().width, 140) if not sys.stdout.isatty() else None)
    automatic = [entry for entry in load(class_run.lab.short) if not entry.manual]
    table = Table(title=f"{class_run.lab.name}: automatic points", title_justify="left")
    table.add_column("student", no_wrap=True, max_width=48)
    for entry in automatic:
        table.add_column(entry.name.split(".")[1].replace("_", "\n"), justify="right")
    table.add_column("total", justify="right")
    for row in class_run.students:
        if row.grade is None:
            table.add_row(escape(row.student), *["–"] * len(automatic), "–", style="red")
            continue
        cells = [f"{row.grade.verdicts[e.name].points:g} / {e.points:g}" for e in automatic]
        table.add_row(escape(row.student), *cells, f"{row.grade.points:g} / {row.grade.max_points:g}")
    console.print(table)
    for row in class_run.students:
        lines = [row.problem] if row.problem else []
        if row.grade is not None:
            for name, verdict in row.grade.verdicts.items():
                lines += [f"{name}: {finding.code}. {finding.message}" for finding in verdict.findings]
            lines += [f"repaired: {line}" for line in row.grade.repairs]
            lines += [*row.grade.problems, *row.grade.faults]
        if lines:
            console.print(f"\n[bold]{escape(row.student)}[/bold]")
            for line in dict.fromkeys(lines):
                console.print(f"  {line}", markup=False, highlight=False)


def print_collected(result: Collected, target: Path, times: Path | None = None) -> None:
    """Print what was accepted and what was skipped, with the reasons.

    Args:
        result: What `collect` returned.
        target: The folder with the submissions.
        times: Moodle's grading worksheet, if one was given.
    """
    for line in result.accepted:
        print(f"  accepted  {line}")
    for line in result.skipped:
        print(f"  skipped   {line}")
    print(f"{len(result.accepted)} accepted, {len(result.skipped)} skipped; the accepted ones are in {target}")
    for name, students in sorted(result.labs.items()):
        print(f"  {name}: {len(students)} student{'' if len(students) == 1 else 's'}")
    if missing := result.missing:
        print(
            f"Nothing could be accepted from {len(missing)} student{'' if len(missing) == 1 else 's'}, "
            f"so they will not be graded: {', '.join(missing)}"
        )
    if times is not None and result.untimed:
        print(f"{times.name} has no readable time for {', '.join(sorted(result.untimed))}, so no late penalty applies")


def print_exported(result: ExportResult, to: str) -> None:
    """Print what was exported, and what the instructor should know about it.

    Args:
        result: What `export_grades` returned.
        to: What was exported, such as "csv".
    """
    if to == "gradescope-autograder":
        print(f"written: {result.target}")
        print("It contains the answers and a secret, so upload it to Gradescope and share it with no one else.")
        return
    for student in result.unmatched:
        print(f"  not in the roster: {student}")
    for line in result.left_out:
        print(f"  left out: {line}")
    print(f"written: {result.target}, {result.students} student{'' if result.students == 1 else 's'}")
    if result.waiting:
        print(
            f"{len(result.waiting)} of them have written answers without a grade; these count as 0 points until then."
        )
    if result.changed:
        print(
            f"Submitted again after manual grading, so the manual points are old: {', '.join(result.changed)}. "
            "Review them in formgrader and export again."
        )
