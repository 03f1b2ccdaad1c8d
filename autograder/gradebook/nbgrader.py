"""nbgrader's gradebook and commands."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from autograder import ROOT
from autograder.course.build import with_bin_on_path
from autograder.course.labs import Lab
from autograder.errors import GradebookError


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


@contextlib.contextmanager
def gradebook_lock(course: Path) -> Iterator[int]:
    """Keep all other grading runs from writing the grades of a course meanwhile.

    The lock belongs to an open file. nbgrader inherits that file, so nbgrader keeps the lock if our process is killed.

    Yields:
        The descriptor of the locked file.

    Raises:
        GradebookError: Another run has the lock.
    """
    with (course / ".grading.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise GradebookError(
                f"another grading run, or what remains of a killed one, is writing the grades of {course}, so nothing "
                "was written. All finished runs are stored: repeat the same command when the other run has ended"
            ) from None
        yield file.fileno()


def run_nbgrader(
    course: Path, lab: Lab, command: str, *flags: str, keep_open: int | None = None
) -> subprocess.CompletedProcess:
    """Run one of nbgrader's commands on a lab of a course.

    Args:
        course: The course's folder.
        lab: The lab.
        command: Such as `autograde`.
        flags: Further arguments.
        keep_open: A file descriptor that nbgrader keeps open while it runs.

    Returns:
        The finished process with its output; it may have failed.
    """
    places = [
        f"--CourseDirectory.root={course}",
        f"--CourseDirectory.source_directory={ROOT / 'solutions'}",
        f"--CourseDirectory.release_directory={course / 'release'}",
    ]
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", command, lab.name, "--force", "--log-level=ERROR", *places, *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        pass_fds=() if keep_open is None else (keep_open,),
        # The gradebook's address may hold a password. In the environment, other users cannot read it.
        env=with_bin_on_path() | {"LAB_GRADEBOOK": gradebook_url(course)},
    )
