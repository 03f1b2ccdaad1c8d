"""Run a program that works on one student after the other, and end it when one of them stalls it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

POLL_S = 0.5
STALL_CPU_S = 120.0  # computing time for one student; an honest one takes about 0.5 s
STALL_WALL_S = 3600.0  # the second bound, for a program that waits for something that never comes
MEMORY_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Finished:
    """How a program ended.

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


def supervise(command: Sequence[str], progress: Callable[[], object], **options: Any) -> Finished:
    """Run a program until it ends, or until it uses too much time without progress, or too much memory.

    The time is the program's own computing time, so that a busy machine ends nothing.

    Args:
        command: The program and its arguments.
        progress: Returns a value that differs once another student is done. It is called rarely.
        options: Of `subprocess.Popen`.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    watched = Watched(process.pid, progress)
    try:
        while True:
            try:
                stdout, stderr = process.communicate(timeout=POLL_S)
                return Finished(process.returncode, stdout, stderr)
            except subprocess.TimeoutExpired:
                if reason := watched.look():
                    process.kill()
                    stdout, stderr = process.communicate()
                    return Finished(process.returncode, stdout, stderr, reason)
    finally:
        if process.poll() is None:  # Ctrl-C
            process.kill()
            process.wait()


class Watched:
    """A process that has to make progress."""

    def __init__(self, pid: int, progress: Callable[[], object]) -> None:
        """Begin to watch; the arguments are the process and the function of `supervise`."""
        self.process, self.progress = psutil.Process(pid), progress
        self.done = progress()
        self.cpu_s, self.since = 0.0, time.monotonic()

    def look(self) -> str:
        """Return why the process has to be ended, or ""."""
        try:
            times, memory = self.process.cpu_times(), self.process.memory_info().rss
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
