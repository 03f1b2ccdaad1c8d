"""Commands on one notebook."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.group import PATH, Command, lab_option, sandbox_option
from autograder.errors import ExitCode, OptionError

WHICH_LAB = "Which lab it is; read from the notebook by default."


@click.command("grade-one", cls=Command)
@click.argument("notebook", type=PATH)
@lab_option(WHICH_LAB)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@sandbox_option("none: unprotected, for harmless notebooks.")
def grade_one(notebook: Path, lab: str | None, as_json: bool, sandbox: str) -> None:
    """Grade one notebook, without a course directory."""
    from autograder import printing
    from autograder.course.labs import find_lab
    from autograder.intake.bounded_reading import Reader
    from autograder.judging.bounded_judging import grade_submission
    from autograder.running.challenge_keys import read_secret
    from autograder.running.sandbox import Sandbox

    with Reader() as reader:
        submission = reader.submission(notebook, find_lab(lab) if lab else None)
    with Sandbox(protected=sandbox == "bwrap", single=True) as box:
        grade = grade_submission(submission, box, read_secret())
    if as_json:
        printing.print_json(grade.to_json())
    else:
        printing.print_grade(grade)


@click.command(cls=Command)
@click.argument("notebook", type=PATH, required=False)
@lab_option(WHICH_LAB)
@click.option("--write", type=PATH, metavar="OUT", help="Write the repaired notebook, without hidden tests.")
@click.option("--machine", is_flag=True, help="Show instead which guarantees this machine gives to the sandbox.")
def doctor(notebook: Path | None, lab: str | None, write: Path | None, machine: bool) -> int:
    """Show what is damaged in a notebook, and how it is repaired.

    With --machine, show what protects the grader and the class from a hostile submission on this machine.
    """
    if machine:
        return doctor_machine()
    if notebook is None:
        raise OptionError("name a notebook, or use --machine")
    from autograder import printing
    from autograder.course.labs import find_lab
    from autograder.intake.open_submission import open_submission, write_repaired

    submission = open_submission(notebook, find_lab(lab) if lab else None)
    printing.print_repairs(notebook.name, submission)
    if write:
        write_repaired(submission, write)
        printing.print_written(write)
    return ExitCode.DONE


def doctor_machine() -> int:
    """Print the table of guarantees."""
    from autograder import printing
    from autograder.running.machine import guarantees

    rows = guarantees()
    printing.print_guarantees(rows)
    return ExitCode.DONE if rows[0].given else ExitCode.NO_SANDBOX


COMMANDS = (grade_one, doctor)
