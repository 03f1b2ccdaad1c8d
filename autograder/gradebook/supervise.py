"""Run a function that works on one student after the other, and end it when one of them stalls it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from autograder.gradebook.nbgrader_process import CONTEXT

POLL_S = 0.5
STALL_CPU_S = 120.0  # computing time for one student; an honest one takes about 0.5 s
STALL_WALL_S = 3600.0  # the second bound, for a program that waits for something that never comes
MEMORY_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Finished:
    """How the function's process ended.

    Attributes:
        returncode: Its exit code.
        stdout: What it printed.
        stderr: What it printed on standard error.
        stalled: Why it was ended, as a clause, or "".
    """

    returncode: int
    stdout: str
    stderr: str
    stalled: str = ""


def supervise(work: Callable[[], object], progress: Callable[[], object]) -> Finished:
    """Run a function in another process until it ends, or until it uses too much time without progress, or memory.

    The time is the process's own computing time, so that a busy machine ends nothing.

    Args:
        work: What to do, without arguments; it is pickled.
        progress: Returns a value that differs once another student is done. It is called rarely.
    """
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        process = CONTEXT.Process(target=write_outputs, args=(work, *outputs))
        process.start()
        stalled = ""
        try:
            assert process.pid is not None  # it has been started
            watched = Watched(process.pid, progress)
            while process.exitcode is None and not stalled:
                process.join(POLL_S)
                stalled = watched.look()
        finally:  # also after Ctrl-C
            if process.exitcode is None:
                process.kill()
            process.join()
        stdout, stderr = (path.read_text(errors="replace") if path.exists() else "" for path in outputs)
        return Finished(process.exitcode or 0, stdout, stderr, stalled)


def write_outputs(work: Callable[[], object], stdout: Path, stderr: Path) -> None:
    """Run a function in this process, and send what it prints to two files."""
    for path, stream in ((stdout, sys.stdout), (stderr, sys.stderr)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    work()


class Watched:
    """A process that has to make progress."""

    def __init__(self, pid: int, progress: Callable[[], object]) -> None:
        """Begin to watch; the arguments are the process and the function of `supervise`."""
        self.pid, self.progress = pid, progress
        self.done = progress()
        self.cpu_s, self.since = 0.0, time.monotonic()

    def look(self) -> str:
        """Return why the process has to be ended, or ""."""
        try:
            process = psutil.Process(self.pid)
            times, memory = process.cpu_times(), process.memory_info().rss
        except psutil.Error:  # it has just ended
            return ""
        if memory > MEMORY_BYTES:
            return f"it needs more than {MEMORY_BYTES // 2**30} GB of memory"
        cpu_s, now = times.user + times.system, time.monotonic()
        if cpu_s - self.cpu_s < STALL_CPU_S and now - self.since < STALL_WALL_S:
            return ""
        if (done := self.progress()) == self.done:
            return f"it needs more than {STALL_CPU_S:g} s of computing time"
        self.done, self.cpu_s, self.since = done, cpu_s, now
        return ""
