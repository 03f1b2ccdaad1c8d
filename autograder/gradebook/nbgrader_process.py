"""One of nbgrader's commands in a process of its own, which starts without importing nbgrader again.

A server process imports everything once and is forked for each command: Python's `forkserver`. A run of `grade` starts
three commands, and each would import for five seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.reduction import DupFd
from typing import Any

from autograder import ROOT

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "autograder",  # first: it shortens the imports below
        "nbgrader.apps",
        "nbgrader.preprocessors",
        "autograder.gradebook.nbgrader_steps",
        "autograder.feedback.formgrader",
        "autograder.feedback.page",
    ]
)


class Inherited:
    """A file descriptor that the other process gets, too: pickled here, it is an `int` there."""

    def __init__(self, descriptor: int) -> None:
        """Remember the descriptor of this process."""
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        """Send a duplicate."""
        return open_inherited, (DupFd(self.descriptor),)


def open_inherited(duplicate: Any) -> int:
    """Return the descriptor in the other process; it stays open until the process ends."""
    return duplicate.detach()


def call_nbgrader(words: Sequence[str], environment: dict[str, str], keep_open: Inherited | int | None) -> None:
    """Run one of nbgrader's commands in this process, and exit with its code.

    Args:
        words: The command and its arguments.
        environment: All environment variables.
        keep_open: A file descriptor that stays open as long as this process runs.
    """
    import nbgrader.api
    from nbgrader.apps.nbgraderapp import main

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    nbgrader.api.get_alembic_version = alembic_version
    sys.argv = ["nbgrader", *words]
    main()


def alembic_version() -> str:
    """Return the version of the newest gradebook. nbgrader would start alembic, which imports all of nbgrader again."""
    import nbgrader.api
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    with nbgrader.api._temp_alembic_ini("sqlite://") as file:
        head = ScriptDirectory.from_config(Config(file)).get_current_head()
    assert head is not None  # nbgrader has one line of versions
    return head
