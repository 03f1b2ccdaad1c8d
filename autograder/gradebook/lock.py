"""The lock of a course: one grading run at a time, on one machine or on several that share a file system."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from autograder.errors import CourseLocked, GradebookError

NAME = ".grading.lock"
HELD = (errno.EAGAIN, errno.EACCES)  # what the system answers where another process has the lock
_mine: dict[Path, int] = {}  # course -> the descriptor of the lock that this process holds


@contextlib.contextmanager
def course_lock(course: Path) -> Iterator[int]:
    """Keep all other grading runs from a course meanwhile.

    The lock belongs to an open file, so the system releases it when the process ends, however it ends. nbgrader
    inherits that file and keeps the lock if only our process is killed. On NFS and on clustered file systems the server
    keeps the lock for all machines; where a file system has no locks, the run does not start. A process that holds the
    lock already may ask for it again.

    Yields:
        The descriptor of the locked file.

    Raises:
        CourseLocked: Another run has the lock; the message says which.
        GradebookError: The file system has no locks.
    """
    course = course.resolve()
    if course in _mine:
        yield _mine[course]
        return
    descriptor = os.open(course / NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock(descriptor, course)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, myself().encode(), 0)
        _mine[course] = descriptor
        yield descriptor
    finally:
        _mine.pop(course, None)
        os.close(descriptor)  # also releases the lock, unless nbgrader has inherited it


def lock(descriptor: int, course: Path) -> None:
    """Take the lock; the arguments and errors are those of `course_lock`."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            holder = os.pread(descriptor, 500, 0).decode(errors="replace").strip()
            who = "".join(c for c in holder if c.isprintable()) or "process unknown"
            raise CourseLocked(
                f"another grading run ({who}) is working on {course}, or nbgrader is finishing what a killed run "
                "began, so nothing was started. All finished runs are stored: repeat the same command when that run "
                "has ended"
            ) from None
        raise GradebookError(
            f"{course} is on a file system without locks ({error.strerror}), so two grading runs could destroy each "
            "other's grades: move the course to a local disk, or mount the file system with locks"
        ) from error


def myself() -> str:
    """Return which run holds the lock, for the message of another one."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        user = str(os.getuid())
    since = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    return f"process {os.getpid()} of {user} on {socket.gethostname()} since {since}"
