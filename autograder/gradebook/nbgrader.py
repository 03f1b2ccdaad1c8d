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
    """nbgrader's gradebook: `LAB_GRADEBOOK`, such as postgresql+psycopg://user@host/course, or SQLite in the course."""
    return os.environ.get("LAB_GRADEBOOK") or f"sqlite:///{course / 'gradebook.db'}"


def gradebook_name(course: Path) -> str:
    """The gradebook's address for people: without a password."""
    return make_url(gradebook_url(course)).render_as_string(hide_password=True).removeprefix("sqlite:///")


@contextlib.contextmanager
def open_gradebook(course: Path) -> Iterator[Any]:
    """nbgrader's gradebook.

    Raises:
        GradebookError: no such server or database, or not a gradebook.
    """
    from nbgrader.api import Gradebook
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with Gradebook(gradebook_url(course), "guidance-labs") as book:
            yield book
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise GradebookError(f"the gradebook cannot be read: {why}") from error


def has_gradebook(course: Path) -> bool:
    url = gradebook_url(course)
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()


@contextlib.contextmanager
def alone(course: Path) -> Iterator[int]:
    """Nobody else writes this course's grades meanwhile. The lock is a file's; nbgrader inherits it, so a killed run's child keeps it.

    Raises:
        GradebookError: somebody does.
    """
    with (course / ".grading.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise GradebookError(
                f"another grading run is writing the grades of {course}, or what is left of a killed one; "
                "nothing was written. Everything that was run is stored: give the same command again when it is done"
            ) from None
        yield file.fileno()


def nbgrader(
    course: Path, lab: Lab, command: str, *flags: str, keep_open: int | None = None
) -> subprocess.CompletedProcess:
    """One of nbgrader's commands on a lab of a course. `keep_open`: a descriptor that it holds while it runs."""
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
        # The gradebook's address may hold a password: it goes by the environment, where other users cannot read it.
        env=with_bin_on_path() | {"LAB_GRADEBOOK": gradebook_url(course)},
    )
