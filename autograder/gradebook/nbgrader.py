"""nbgrader's gradebook and commands."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from autograder import ROOT
from autograder.course.labs import Lab
from autograder.errors import GradebookError
from autograder.gradebook.nbgrader_process import Inherited, call_nbgrader
from autograder.gradebook.supervise import Finished, supervise

DISK_FULL = ("No space left on device", "database or disk is full", "could not extend file")


def gradebook_url(course: Path) -> str:
    """Return the address of the gradebook: `LAB_GRADEBOOK`, or a SQLite file in the course's folder.

    A server's address looks like `postgresql+psycopg://user@host/course`.
    """
    return os.environ.get("LAB_GRADEBOOK") or f"sqlite:///{course / 'gradebook.db'}"


def gradebook_name(course: Path) -> str:
    """Return the address of the gradebook for a message, without a password."""
    return make_url(gradebook_url(course)).render_as_string(hide_password=True).removeprefix("sqlite:///")


@contextlib.contextmanager
def open_gradebook(course: Path) -> Iterator[Any]:
    """Open nbgrader's gradebook.

    Yields:
        An `nbgrader.api.Gradebook`.

    Raises:
        GradebookError: There is no such server or database, or it is not a gradebook.
    """
    from nbgrader.api import Gradebook
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with Gradebook(gradebook_url(course), "guidance-labs") as book:
            yield book
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise GradebookError(f"the gradebook cannot be read: {reason}") from error


def has_gradebook(course: Path) -> bool:
    """Tell whether a course has a gradebook; a server is assumed to have one."""
    url = gradebook_url(course)
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()


def with_bin_on_path() -> dict[str, str]:
    """Return an environment in which nbgrader finds `alembic` and other programs without an activated environment."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def run_nbgrader(
    course: Path,
    lab: Lab,
    command: str,
    *flags: str,
    keep_open: int | None = None,
    progress: Callable[[], object] = bool,
    force: bool = True,
) -> Finished:
    """Run one of nbgrader's commands on a lab of a course.

    Args:
        course: The course's folder.
        lab: The lab.
        command: Such as `autograde`.
        flags: Further arguments.
        keep_open: A file descriptor that nbgrader keeps open while it runs.
        progress: Returns a value that differs once another student is done.
        force: Let nbgrader write again what it has written before.

    Returns:
        How it ended; it may have failed.

    Raises:
        GradebookError: The disk is full.
    """
    places = [
        f"--CourseDirectory.root={course}",
        f"--CourseDirectory.source_directory={ROOT / 'solutions'}",
        f"--CourseDirectory.release_directory={course / 'release'}",
    ]
    words = [command, lab.name, *(["--force"] if force else []), "--log-level=ERROR", *places, *flags]
    finished = supervise(
        partial(
            call_nbgrader,
            words,
            # The gradebook's address may hold a password. In the environment, other users cannot read it.
            with_bin_on_path() | {"LAB_GRADEBOOK": gradebook_url(course)},
            None if keep_open is None else Inherited(keep_open),
        ),
        progress,
    )
    if any(words in finished.stderr for words in DISK_FULL):
        raise GradebookError(
            f"the disk of {course} is full, so nbgrader {command} could not finish. All finished runs are stored: make "
            "room, and repeat the same command"
        )
    return finished
