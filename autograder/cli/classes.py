"""Commands on a class: collect, grade, regrade, report, similarity, export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from autograder.cli.group import (
    PATH,
    Command,
    course_option,
    lab_argument,
    lab_option,
    sandbox_option,
    submissions_option,
)
from autograder.errors import ExitCode, OptionError

EXPORTS = ("csv", "canvas", "gradescope", "gradescope-autograder", "feedback")


@click.command(cls=Command)
@click.argument("archive", type=PATH)
@lab_option("Take only this lab; by default each notebook says which lab it is.")
@click.option(
    "--submissions",
    type=PATH,
    default=Path("submitted"),
    metavar="DIR",
    help="Where to put them; `submitted` by default.",
)
@click.option(
    "--late", metavar="TIME", help="Time to record for files that Canvas marks LATE: '2026-12-01 00:00:00 UTC'."
)
@click.option(
    "--times",
    type=PATH,
    metavar="CSV",
    help="Moodle's grading worksheet, or GitHub Classroom's list of grades, with the time of each submission.",
)
@click.option(
    "--timezone",
    metavar="ZONE",
    default="UTC",
    help="Zone of times that an LMS writes without one (Moodle, Brightspace, Blackboard), such as Europe/Berlin; "
    "UTC by default.",
)
def collect(
    archive: Path, lab: str | None, submissions: Path, late: str | None, times: Path | None, timezone: str
) -> int:
    """Take submissions from a zip or a folder.

    ARCHIVE is what an LMS gives you, unchanged: Canvas, Moodle, Gradescope, Brightspace, Blackboard, the repositories
    of GitHub Classroom, nbgrader's folder `submitted`, or a folder with a notebook or a folder for each student.
    """
    from autograder import printing
    from autograder.course.labs import find_lab
    from autograder.intake.collect import collect as collect_archive

    collected = collect_archive(archive, submissions, find_lab(lab) if lab else None, late, times, timezone)
    printing.print_collected(collected, submissions, times, timezone)
    return ExitCode.DONE if collected.accepted else ExitCode.MISSED


def class_options(function: Callable) -> Callable:
    """The argument and options that `grade` and `regrade` share."""
    for decorate in (
        click.option("--no-feedback", is_flag=True, help="Write no feedback pages."),
        click.option("--no-gradebook", is_flag=True, help="Print the table only, without nbgrader."),
        course_option,
        submissions_option,
        lab_argument(),
    ):
        function = decorate(function)
    return function


@click.command(cls=Command)
@class_options
@sandbox_option("none: unprotected, for harmless classes.")
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler; this machine by default.")
@click.option("--workers", type=int, metavar="N", help="Workers on this machine; one per core by default.")
def grade(
    lab: str,
    submissions: Path | None,
    course: Path,
    no_gradebook: bool,
    no_feedback: bool,
    sandbox: str,
    scheduler: str | None,
    workers: int | None,
) -> int:
    """Grade a class in parallel; nbgrader keeps the scores.

    COURSE/extensions.csv, if it exists, gives single students more time: one line for each, with the columns
    student, lab (empty: all labs) and extension (hours, or the new due time with its zone).
    """
    from autograder.course.labs import find_lab
    from autograder.grading import ClassJob, Execution

    execution = Execution(sandbox == "bwrap", scheduler, workers)
    return grade_and_print(ClassJob(find_lab(lab), course, submissions, not no_gradebook, not no_feedback, execution))


@click.command(cls=Command)
@class_options
def regrade(lab: str, submissions: Path | None, course: Path, no_gradebook: bool, no_feedback: bool) -> int:
    """Judge stored evidence again, without running a notebook. Late penalties follow COURSE/extensions.csv."""
    from autograder.course.labs import find_lab
    from autograder.grading import ClassJob

    return grade_and_print(ClassJob(find_lab(lab), course, submissions, not no_gradebook, not no_feedback))


def grade_and_print(job) -> int:
    """Grade or regrade a class, and print the result."""
    from autograder import printing
    from autograder.grading import grade_class

    result = grade_class(job, on_graded=printing.print_class)
    printing.print_graded(result)
    return ExitCode.DONE if result.graded and result.complete else ExitCode.MISSED


@click.command(cls=Command)
@lab_argument()
@submissions_option
@course_option
@click.option("--anonymous", is_flag=True, help="Use pseudonyms instead of names.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of writing a page.")
@click.option("--items", is_flag=True, help="Print the item analysis as CSV instead of writing a page.")
@click.option(
    "--out",
    type=PATH,
    metavar="FILE",
    help="The page to write; COURSE/report/LAB.html or LAB-anonymous.html by default.",
)
def report(
    lab: str,
    submissions: Path | None,
    course: Path,
    anonymous: bool,
    as_json: bool,
    items: bool,
    out: Path | None,
) -> None:
    """Write the class report: scores, items, findings and repairs."""
    from autograder import printing
    from autograder.course.labs import find_lab
    from autograder.feedback.item_analysis import items_csv
    from autograder.grading import ClassJob, report_document, write_report

    if as_json and items:
        raise OptionError("--json and --items contradict each other: JSON contains the item analysis")
    job = ClassJob(find_lab(lab), course, submissions)
    document = report_document(job, anonymous)
    if as_json:
        printing.print_json(document)
    elif items:
        print(items_csv(document), end="")
    else:
        print(write_report(job, document, anonymous, out))


@click.command(cls=Command)
@lab_argument()
@submissions_option
@course_option
@click.option(
    "--out", type=PATH, metavar="FILE", help="The page to write; COURSE/report/LAB-similarity.html by default."
)
def similarity(lab: str, submissions: Path | None, course: Path, out: Path | None) -> None:
    """List similar submissions: hints for a person, not accusations."""
    from autograder.course.labs import find_lab
    from autograder.feedback.similarity import find_similar, write_similarity
    from autograder.grading import ClassJob

    job = ClassJob(find_lab(lab), course, submissions)
    found = find_similar(job.open())
    place = write_similarity(found, out or job.home / "report" / f"{job.lab.name}-similarity.html")
    print(f"{found.compared} submissions compared, {len(found.pairs)} similar pairs: {place}")


@click.command(cls=Command)
@lab_argument()
@click.option("--to", type=click.Choice(EXPORTS), required=True, help="What to write.")
@course_option
@click.option("--out", type=PATH, metavar="PATH", help="File or folder to write; in COURSE/exports by default.")
@click.option("--roster", type=PATH, metavar="CSV", help="The gradebook that Canvas exported, to be filled in.")
@click.option("--archive", type=PATH, metavar="ZIP", help="For feedback: the zip that was collected.")
@click.option("--column", metavar="NAME", help="The assignment's name in Canvas; the lab's name by default.")
@sandbox_option("For gradescope-autograder; none: unprotected.")
def export(
    lab: str,
    to: str,
    course: Path,
    out: Path | None,
    roster: Path | None,
    archive: Path | None,
    column: str | None,
    sandbox: str,
) -> None:
    """Write grades or feedback for a spreadsheet or an LMS."""
    from autograder import printing
    from autograder.course.labs import find_lab
    from autograder.exports.export_grades import export_grades

    result = export_grades(
        find_lab(lab),
        course.resolve(),
        to=to,
        out=out,
        roster=roster,
        archive=archive,
        column=column,
        sandbox=sandbox,
    )
    printing.print_exported(result, to)


COMMANDS = (collect, grade, regrade, report, similarity, export)
