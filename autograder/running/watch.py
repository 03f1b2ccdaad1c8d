"""Count what the processes of a run use together."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from autograder.running.limits import Limits

WATCH_S = 0.25


class Watch:
    """Counts what a run's processes use together; the kernel's limits hold for each alone, and not at all for root.

    A forked process maps what the template maps without using it: memory counts beyond that.
    """

    def __init__(self, template: int, limits: Limits):
        self.template, self.limits = template, limits
        self.next_look = 0.0
        before = self.processes()
        self.baseline = max((one.resident for one in before), default=0)
        self.mapped = max((one.mapped for one in before), default=0)

    def processes(self) -> list[Seen]:
        """The template's descendants."""
        found = []
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self.template).children(recursive=True):
                with contextlib.suppress(psutil.Error), process.oneshot():
                    memory = process.memory_info()
                    found.append(Seen(process.pid, memory.rss, memory.vms, process.num_threads()))
        return found

    def look(self) -> str:
        """Why the run must end, or nothing. Looks at most every `WATCH_S`."""
        if time.monotonic() < self.next_look:
            return ""
        self.next_look = time.monotonic() + WATCH_S
        seen = self.processes()
        if len(seen) > self.limits.processes or sum(one.threads for one in seen) > self.limits.tasks:
            return "processes"
        # Counting pages is quick and counts shared ones for each; measuring their shares is slow and right.
        most = self.limits.memory_bytes
        if (
            sum(max(0, one.resident - self.baseline) for one in seen) > most
            and sum(share(one.pid, one.resident) for one in seen) - self.baseline > most
        ):
            return "memory"
        # Shared memory without a file stays in memory when it is taken out of a process's pages: its size counts. One
        # process alone cannot map so much.
        if sum(max(0, one.mapped - self.mapped) for one in seen) > most and shared_memory(seen) > most:
            return "memory"
        return ""


@dataclass(frozen=True)
class Seen:
    """One process of a run."""

    pid: int
    resident: int  # bytes
    mapped: int
    threads: int


def shared_memory(seen: list[Seen]) -> int:
    """Bytes of all mappings that are shared and have no file, each counted once."""
    sizes: dict[str, int] = {}
    for one in seen:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one.pid}/maps").read_text(errors="replace").splitlines():
                if line.endswith("/dev/zero (deleted)"):
                    span, _, offset, _, inode = line.split()[:5]
                    start, end = (int(number, 16) for number in span.split("-"))
                    sizes[inode] = max(sizes.get(inode, 0), int(offset, 16) + end - start)
    return sum(sizes.values())


def share(pid: int, otherwise: int) -> int:
    """Bytes in memory, shared ones divided by the number of those who share."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return otherwise
