"""Watch how many processes a run has, and how much memory they use together."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from autograder.running.limits import Limits

WATCH_S = 0.25  # seconds between two looks


class Watch:
    """Counts what a run's processes use together: the kernel limits each alone, and some limits do not bind root.

    A forked process maps the template's memory without using it, so only memory beyond that counts.

    Args:
        template: the process id of the template, before the run begins.
        limits: what the run may use.
    """

    def __init__(self, template: int, limits: Limits):
        self.template, self.limits = template, limits
        self.next_look = 0.0
        before = self.processes()
        self.baseline = max((one.resident for one in before), default=0)
        self.mapped = max((one.mapped for one in before), default=0)

    def processes(self) -> list[ProcessUse]:
        """Return what each descendant of the template uses now."""
        found = []
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self.template).children(recursive=True):
                with contextlib.suppress(psutil.Error), process.oneshot():
                    memory = process.memory_info()
                    found.append(ProcessUse(process.pid, memory.rss, memory.vms, process.num_threads()))
        return found

    def look(self) -> str:
        """Return why the run must end: "processes", "memory", or "". Looks at most every `WATCH_S` seconds."""
        if time.monotonic() < self.next_look:
            return ""
        self.next_look = time.monotonic() + WATCH_S
        used = self.processes()
        if len(used) > self.limits.processes or sum(one.threads for one in used) > self.limits.tasks:
            return "processes"
        # The resident size is quick to read, but counts shared pages once for each process. Only if the sum is too
        # large are the proportional shares measured, which is slow and exact.
        most = self.limits.memory_bytes
        if (
            sum(max(0, one.resident - self.baseline) for one in used) > most
            and sum(proportional_share(one.pid, one.resident) for one in used) - self.baseline > most
        ):
            return "memory"
        # Shared memory without a file stays allocated when a process no longer has its pages, so its full size counts.
        # A single process cannot map so much.
        if sum(max(0, one.mapped - self.mapped) for one in used) > most and shared_memory(used) > most:
            return "memory"
        return ""


@dataclass(frozen=True)
class ProcessUse:
    """What one process of a run uses."""

    pid: int
    resident: int  # bytes
    mapped: int  # bytes
    threads: int


def shared_memory(processes: list[ProcessUse]) -> int:
    """Return the bytes of all shared mappings without a file, each mapping counted once."""
    sizes: dict[str, int] = {}
    for one in processes:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one.pid}/maps").read_text(errors="replace").splitlines():
                if line.endswith("/dev/zero (deleted)"):
                    span, _, offset, _, inode = line.split()[:5]
                    start, end = (int(number, 16) for number in span.split("-"))
                    sizes[inode] = max(sizes.get(inode, 0), int(offset, 16) + end - start)
    return sum(sizes.values())


def proportional_share(pid: int, default: int) -> int:
    """Return a process's bytes in memory, each shared page divided by the number of processes that share it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return default
