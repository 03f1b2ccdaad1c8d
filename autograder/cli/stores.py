"""Commands on the store of runs."""

from __future__ import annotations

import time
from pathlib import Path

import click

from autograder.cli.group import Command, Group, course_option
from autograder.errors import ExitCode

DAY_S = 86_400


@click.group("store", cls=Group)
def store() -> None:
    """Check or shrink the store of runs."""


@store.command("verify", cls=Command)
@course_option
def verify(course: Path) -> int:
    """Read every stored run, and list those that are damaged."""
    from autograder import printing
    from autograder.running.store import Store

    stored = Store(course.resolve() / "store", {}, make=False)
    damaged = {key: why for key in stored.keys() if (why := stored.damage(key))}  # noqa: SIM118 it is no dictionary
    printing.print_verified(stored.folder, len(stored.keys()), damaged)
    return ExitCode.MISSED if damaged else ExitCode.DONE


@store.command("prune", cls=Command)
@course_option
@click.option("--older-than", type=click.IntRange(min=1), required=True, metavar="DAYS", help="Remove runs this old.")
def prune(course: Path, older_than: int) -> None:
    """Remove old runs. A notebook that is still submitted then runs again."""
    from autograder import printing
    from autograder.running.store import Store

    stored, latest = Store(course.resolve() / "store", {}, make=False), time.time() - older_than * DAY_S
    old = [key for key in stored.keys() if stored.written(key) < latest]  # noqa: SIM118
    for key in old:
        stored.remove(key)
    printing.print_pruned(stored.folder, len(old))


COMMANDS = (store,)
