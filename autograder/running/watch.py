"""Watch what a run uses: processes, memory, files, sockets and time.

The kernel limits each process alone, and some of its limits do not bind root. A control group counts all processes
together, where the machine gives one to the grader; this watch counts everywhere. What it cannot read, it counts as
used.
"""

from __future__ import annotations

import os
import time

from autograder.running.cgroups import Group
from autograder.running.clock import Clock
from autograder.running.limits import Limits
from autograder.running.processes import (
    ProcessUse,
    descendants,
    mappings,
    open_descriptors,
    proportional_share,
    read_bytes,
)

WATCH_S = 0.25  # seconds between two looks
COUNT_S = 0.03  # seconds between two counts of files at the end of a cell: to write too many takes longer
FILE_SYSTEMS = ("tmp", "dev/shm")  # that a notebook may write to
MAPS_EVERY = 8  # looks: to read all mappings of a process takes milliseconds


class Watch:
    """Counts what a run's processes use together, and keeps its clocks.

    A forked process maps the template's memory without using it, so only memory beyond that counts.

    Args:
        top: the process that was started: bubblewrap, or an unprotected template.
        limits: what the run may use.
        group: the control group of the sandbox, if there is one.
        protected: the run is in a sandbox with file systems and a network of its own.
    """

    def __init__(self, top: int, limits: Limits, group: Group | None = None, protected: bool = True):
        self.top, self.limits, self.group, self.protected = top, limits, group, protected
        self.next_look = self.next_count = 0.0
        before = descendants(top)
        self.baseline = max((one.resident for one in before), default=0)
        self.mapped = max((one.mapped for one in before), default=0)
        self.killed = group.killed_for_memory() if group else 0
        self.looks = 0
        self.unread: set[int] = set()  # processes that the last look could not read
        self.clock = Clock(limits, self.cpu_s(before))

    def cpu_s(self, processes: list[ProcessUse]) -> float:
        """Return the processor seconds of everything in the sandbox: the kernel's sum, or that of the processes."""
        if self.group is not None and (counted := self.group.cpu_s()) is not None:
            return counted
        return sum(one.cpu_s for one in processes)

    def look(self) -> str:
        """Return why the run must end, as `passes.ENDS` names it, or "". Looks at most every `WATCH_S` seconds."""
        if time.monotonic() < self.next_look:
            return ""
        found = descendants(self.top)
        self.clock.add(self.cpu_s(found), [one for one in found if not one.ended])
        reason = self.over_limit(found) or self.clock.expired()
        now = time.monotonic()
        self.next_look, self.next_count = now + WATCH_S, now + COUNT_S
        return reason

    def count_after_cell(self) -> str:
        """Return "files" if the cell that has just ended left too many, or "". Counts at most every `COUNT_S` seconds.

        Files stay when their cell has ended, and the next look would blame the cell that runs then.
        """
        if not self.protected or time.monotonic() < self.next_count:
            return ""
        seen = seen_files(self.members(descendants(self.top)))
        self.next_count = time.monotonic() + COUNT_S
        return "files" if seen is not None and seen[1] > self.limits.files else ""

    def over_limit(self, found: list[ProcessUse]) -> str:
        """Return which limit all processes together exceed, or ""."""
        if len(found) > self.limits.processes or sum(one.threads for one in found) > self.limits.tasks:
            return "processes"
        if self.too_much_memory(found) or self.memory_was_short():
            return "memory"
        if self.clock.cell_start is None or not self.protected:
            return ""  # before the first cell the child is as closed as the template
        return self.too_many_files(self.members(found))

    def members(self, found: list[ProcessUse]) -> list[ProcessUse]:
        """Return the processes of the submission that live: all but the template."""
        return [one for one in found if not one.ended and (one.parent != self.top or not self.protected)]

    def too_much_memory(self, found: list[ProcessUse]) -> bool:
        """Return whether all processes together have more memory than the limit.

        The resident size is quick to read, but counts shared pages once for each process. Only if the sum is too large
        are the proportional shares measured, which is slow and exact. No process but the template is taken to share
        anything: one that was forked may have replaced every page, and one that runs another program shares none.
        Shared memory without a file stays allocated when a process no longer has its pages, so its full size counts.
        Each mapping takes memory of the kernel, also one whose pages were never touched, so their number is bounded.
        """
        most, self.looks = self.limits.memory_bytes, self.looks + 1
        if (
            sum(one.resident for one in found) - self.baseline > most
            and sum(proportional_share(one.pid, one.resident) for one in found) - self.baseline > most
        ):
            return True
        much_is_mapped = sum(max(0, one.mapped - self.mapped) for one in found) > most
        if not much_is_mapped and self.looks % MAPS_EVERY:
            return False
        count, shared = mappings(self.members(found), self.limits.mappings)
        return count > self.limits.mappings or shared > most

    def memory_was_short(self) -> bool:
        """Return whether the kernel has ended a process of the control group, because its memory was used up."""
        return self.group is not None and self.group.killed_for_memory() > self.killed

    def too_many_files(self, members: list[ProcessUse]) -> str:
        """Return which limit on files, open files or sockets is exceeded, or ""."""
        counts = [open_descriptors(one.pid) for one in members]
        seen = seen_files(members)
        unread = {one.pid for one, count in zip(members, counts) if count is None or seen is None}
        hidden, self.unread = unread & self.unread, unread  # one look may fall into the moment in which a process ends
        if hidden:
            return "hidden"
        if sum(count or 0 for count in counts) > self.limits.descriptors:
            return "descriptors"
        if seen is None:
            return ""
        pid, files = seen
        if files > self.limits.files:
            return "files"
        return "sockets" if socket_bytes(pid) > self.limits.socket_bytes else ""


def seen_files(members: list[ProcessUse]) -> tuple[int, int] | None:
    """Return the first process whose files can be counted, and how many there are; None if there is none."""
    return next(((one.pid, files) for one in members if (files := files_used(one.pid)) is not None), None)


def files_used(pid: int) -> int | None:
    """Return how many files and folders there are in the sandbox of a process; None if they cannot be counted."""
    try:
        found = [os.statvfs(f"/proc/{pid}/root/{place}") for place in FILE_SYSTEMS]
    except OSError:
        return None
    return sum(one.f_files - one.f_ffree for one in found)


def socket_bytes(pid: int) -> int:
    """Return how much the sockets in a process's network namespace can hold. The kernel does not say what they hold."""
    counts = read_bytes(f"/proc/{pid}/net/sockstat").split(b"\n")
    words = [line.split() for line in counts]
    every = next((int(line[2]) for line in words if line[:2] == [b"sockets:", b"used"]), 0)
    tcp = next((int(line[2]) + int(line[6]) for line in words if line[:2] == [b"TCP:", b"inuse"]), 0)
    return every * local_socket_bytes() + tcp * tcp_socket_bytes()


def local_socket_bytes() -> int:
    """Return what a socket of this machine can hold: its send buffer, which the kernel doubles, may be passed once."""
    default, most = read_bytes("/proc/sys/net/core/wmem_default"), read_bytes("/proc/sys/net/core/wmem_max")
    return 2 * max(int(default or 212992), int(most or 212992))


def tcp_socket_bytes() -> int:
    """Return what a TCP connection's end can hold: its receive and its send buffer."""
    names = ("/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem")
    return sum(int((read_bytes(name).split() or [b"6291456"])[-1]) for name in names)
