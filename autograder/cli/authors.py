"""Commands for authors of labs: validate, build, execute, release, demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograder.cli.group import PATH, Command, Group, lab_argument
from autograder.errors import ExitCode, OptionError

if TYPE_CHECKING:
    from autograder.course.labs import Lab


@click.command(cls=Command)
@lab_argument(required=False)
@click.option("--only", metavar="NAME", help="One exercise, such as cfg_drift.")
@click.option("--right", type=int, metavar="N", help="Challenges for each right answer; 20 by default.")
@click.option("--wrong", type=int, metavar="N", help="Challenges for each wrong answer; 3 by default.")
@click.option(
    "--full",
    is_flag=True,
    help="1,000 challenges for each right answer, 10,000 for a statistical one, 50 for each wrong one, 10 for each "
    "generic change. Continues where it stopped and writes docs/validate (make validate-full).",
)
@click.option("--minutes", type=float, metavar="M", help="With --full: stop after M minutes, and report.")
@click.option("--generic", is_flag=True, help="Also try changes made by a program.")
@click.option("--sample", type=int, metavar="N", help="Try only N of each exercise's generic changes.")
@click.option("--jobs", type=int, metavar="N", help="Processes; with --generic one per core, otherwise 1.")
@click.option("--html", type=PATH, metavar="FILE", help="Also write the matrix as a page.")
@click.option("--no-sandbox", is_flag=True, help="Do not run the model answers in the sandbox.")
@click.option(
    "--reach", is_flag=True, help="Instead compare the inputs of the probes with those of the lab's notebook."
)
@click.option("--renew", is_flag=True, help="With --reach: run the notebooks first, minutes, and write their tables.")
def validate(
    lab: str | None,
    html: Path | None,
    only: str | None,
    full: bool,
    no_sandbox: bool,
    reach: bool,
    renew: bool,
    **numbers,
) -> int:
    """Test the grader on wrong and right answers: the kill matrix.

    Without LAB it tests the exercises of all labs.
    """
    from autograder import printing
    from autograder.course.labs import find_lab, labs
    from autograder.validation.matrix_run import MatrixRun, require_exercise, run_matrix
    from autograder.validation.report import write_page

    chosen = [find_lab(lab)] if lab else labs()
    if only and full:
        raise OptionError("--full is for all exercises of a lab: leave --only out")
    if renew and not reach:
        raise OptionError("--renew writes the tables of --reach: add --reach")
    if only:
        require_exercise(chosen, only)
    if reach:
        return compare_reach(chosen, only, renew)
    options = MatrixRun(only=only, full=full, sandbox=not no_sandbox, **numbers)
    rows = [row for one in chosen for row in printing.print_matrix(run_matrix(one, options))]
    if html:
        write_page(html, rows)
        printing.print_written(html)
    return ExitCode.DONE if rows and all(row.ok for row in rows) else ExitCode.MISSED


def compare_reach(chosen: list[Lab], only: str | None, renew: bool) -> int:
    """Print the inputs of labs and probes side by side, and return an exit code: 1 if a probe falls short."""
    from autograder import printing
    from autograder.validation.reach import tables

    if renew:
        for lab in chosen:
            printing.print_written(tables.renew(lab))
    printed = printing.print_reach(found for lab in chosen for found in tables.compare(lab, only))
    return ExitCode.DONE if all(comparison.ok for comparison in printed) else ExitCode.MISSED


@click.command(cls=Command)
@lab_argument(required=False)
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if something is stale.")
def build(lab: str | None, check: bool) -> int:
    """Generate the notebooks of LAB, or of all labs (make labs).

    Labs whose source, exercises and builder have not changed are skipped.
    """
    from autograder import printing
    from autograder.course.build import build_lab
    from autograder.course.labs import find_lab, labs

    changed = [path for one in ([find_lab(lab)] if lab else labs()) for path in build_lab(one, check)]
    printing.print_built(changed, check)
    return ExitCode.MISSED if check and changed else ExitCode.DONE


@click.command(cls=Command)
@lab_argument()
def execute(lab: str) -> None:
    """Run an instructor notebook and keep its outputs."""
    from autograder import printing
    from autograder.course.build import execute as execute_notebook
    from autograder.course.labs import find_lab

    printing.print_executed(*execute_notebook(find_lab(lab)))


@click.command(cls=Command)
def release() -> None:
    """Build what students get: dist/student and a wheel."""
    from autograder import printing
    from autograder.course.publish import release as make_release

    printing.print_released(make_release())


@click.command(cls=Command)
def demo() -> int:
    """Release the labs and grade a small sample class (make demo)."""
    from autograder.demo import run_demo

    return ExitCode.DONE if run_demo() else ExitCode.MISSED


@click.group(cls=Group)
def new() -> None:
    """Write the files of a new exercise or lab, ready to be changed."""


@new.command("exercise", cls=Command)
@click.argument("name", metavar="LAB.NAME")
def new_exercise(name: str) -> None:
    """Write an exercise that asks for the identity, such as lab4.energy.

    It builds, validates and passes its tests as it is. CONTRIBUTING.md walks through one.
    """
    from autograder import printing
    from autograder.course import scaffold

    printing.print_scaffold(scaffold.new_exercise(name), name)


@new.command("lab", cls=Command)
@click.argument("name", metavar="LAB_NAME")
def new_lab(name: str) -> None:
    """Write a lab with one exercise, such as lab5_latents."""
    from autograder import printing
    from autograder.course import scaffold

    printing.print_scaffold(scaffold.new_lab(name), f"{name.partition('_')[0]}.identity")


COMMANDS = (validate, build, execute, release, demo, new)
