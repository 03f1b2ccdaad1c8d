"""Tell a fault of the grader's own code from a mistake of a student, by the traceback of the error."""

from __future__ import annotations

import traceback
from pathlib import Path

COURSE = Path(__file__).parent.parent  # the package `utils`, with the probes in it
# Errors that only our own code can cause if no line of a student's is involved. Most others may also come from what the
# student's code returned, such as None in place of a tensor.
OWN_FAULTS = (NameError, ImportError, SyntaxError)
PROBE_TOOLS = ("utils.checks.challenge", "utils.checks.evidence", "utils.checks.student")
HARNESS = ("judging.py", "judge.py")  # run every verdict
LENGTH = 400  # characters of an error's message


def trace_to_probe(error: BaseException) -> dict[str, object]:
    """Say where in our code an error was raised, if no line of a student's is involved.

    Args:
        error: what a probe caught.

    Returns:
        `where`: file and line; `fault`: whether it is surely a fault of the probe. Empty if the student's code raised
        the error.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(COURSE)]
    if not ours or any(is_students(frame.filename) for frame in frames):
        return {}
    return {"where": place_of(ours[-1]), "fault": is_own_fault(error, frames[-1])}


def is_students(filename: str) -> bool:
    """Return whether a traceback's file is a cell of a notebook, or code that was made from text.

    Args:
        filename: as a traceback has it.

    Returns:
        True for a notebook's cell and for code made from text.
    """
    return "ipython-input" in filename or "ipykernel" in filename or filename.startswith("<")


def is_own_fault(error: BaseException, innermost: traceback.FrameSummary) -> bool:
    """Return whether an error in our own code cannot come from what a student's code returned.

    Args:
        error: the error.
        innermost: the line that raised it, perhaps in a library.

    Returns:
        True if the error must be a fault of the probe.
    """
    if isinstance(error, AttributeError):  # of a module such as torch, or of a challenge
        return str(error).startswith("module '") or type(error.obj).__module__ in PROBE_TOOLS
    path = Path(innermost.filename)
    if path == COURSE / "checks" / "challenge.py":  # a challenge is used with wrong arguments
        return True
    return isinstance(error, OWN_FAULTS) and path.is_relative_to(COURSE)


def place_of(frame: traceback.FrameSummary) -> str:
    """Describe a line's place.

    Args:
        frame: of a traceback.

    Returns:
        The place, such as "utils/checks/lab1.py, line 77".
    """
    path = Path(frame.filename)
    name = path.relative_to(COURSE.parent).as_posix() if path.is_relative_to(COURSE.parent) else path.name
    return f"{name}, line {frame.lineno}"


def fault_of(error: BaseException) -> str:
    """Describe an error of the grader's own code in one line.

    Args:
        error: what a verdict raised.

    Returns:
        The error, then the innermost line of a probe or a verdict, or else of any code of the course.
    """
    frames = traceback.extract_tb(error.__traceback__)
    tops = (COURSE, COURSE.parent / "autograder")
    ours = [frame for frame in frames if any(Path(frame.filename).is_relative_to(top) for top in tops)]
    written = [frame for frame in ours if Path(frame.filename).name not in HARNESS]
    words = " ".join(str(error).split())[:LENGTH]
    where = (written or ours)[-1:]
    return f"{type(error).__name__}: {words}" + (f" ({place_of(where[0])})" if where else "")
