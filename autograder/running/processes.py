"""Read from /proc what the processes of a sandbox use. What cannot be read is not nothing: the caller decides."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
MAX_THREADS = 64  # of a process whose threads are looked at one by one


@dataclass(frozen=True)
class ProcessUse:
    """What one process uses."""

    pid: int
    parent: int
    state: str  # R: runs, or waits for a processor
    resident: int  # bytes
    mapped: int  # bytes
    threads: int
    cpu_s: float  # of this process and of its children that have ended

    @property
    def ended(self) -> bool:
        """Whether the process has given its memory back: it ends, or has ended and waits for its parent."""
        return self.state in "ZX" or self.mapped == 0


def parse_stat(pid: int, text: bytes) -> ProcessUse:
    """Return what a line of /proc/PID/stat says. The program's name in it may hold anything, also parentheses."""
    fields = text[text.rindex(b")") + 2 :].split()
    return ProcessUse(
        pid=pid,
        parent=int(fields[1]),
        state=fields[0].decode(),
        resident=int(fields[21]) * PAGE,
        mapped=int(fields[20]),
        threads=int(fields[17]),
        cpu_s=sum(map(int, fields[11:15])) / TICKS,
    )


def read_bytes(path: str) -> bytes:
    """Return a small file of /proc, or b"" if the process has ended or hides it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def descendants(top: int) -> list[ProcessUse]:
    """Return all processes below one, those that have ended and were not waited for included."""
    children: dict[int, list[ProcessUse]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (text := read_bytes(f"/proc/{name}/stat")):
            one = parse_stat(int(name), text)
            children.setdefault(one.parent, []).append(one)
    found, below = [], [top]
    while below:
        new = children.pop(below.pop(), [])
        found += new
        below += [one.pid for one in new]
    return found


def thread_states(one: ProcessUse) -> list[tuple[int, bool, float]]:
    """Return of each thread its id, whether it runs or could run, and how long it has waited for a processor, in s."""
    if one.threads == 1:
        waited = read_bytes(f"/proc/{one.pid}/schedstat").split()
        return [(one.pid, one.state == "R", int(waited[1]) / 1e9 if len(waited) == 3 else 0.0)]
    found = []
    try:
        names = os.listdir(f"/proc/{one.pid}/task")[:MAX_THREADS]
    except OSError:
        names = []
    for name in names:
        text = read_bytes(f"/proc/{one.pid}/task/{name}/stat")
        waited = read_bytes(f"/proc/{one.pid}/task/{name}/schedstat").split()
        runs = bool(text) and text[text.rindex(b")") + 2 :][:1] == b"R"
        found.append((int(name), runs, int(waited[1]) / 1e9 if len(waited) == 3 else 0.0))
    return found


def open_descriptors(pid: int) -> int | None:
    """Return how many files a process has open; None if it hides itself from this one."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        return None
    except OSError:  # it has ended
        return 0


def proportional_share(pid: int, default: int) -> int:
    """Return a process's bytes in memory, each shared page divided by the number of processes that share it."""
    for line in read_bytes(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return 1024 * int(line.split()[1])
    return default


def mappings(processes: list[ProcessUse], most: int) -> tuple[int, int]:
    """Return how many mappings processes have, and the bytes of the shared ones without a file, each counted once.

    Reading stops above `most` mappings: a process may have 65,000, and a listing of millions would hold up the watch.
    """
    sizes: dict[bytes, int] = {}
    count = 0
    for one in processes:
        with contextlib.suppress(OSError), open(f"/proc/{one.pid}/maps", "rb") as lines:
            for line in lines:
                count += 1
                if count > most:
                    return count, sum(sizes.values())
                if line.endswith(b"/dev/zero (deleted)\n"):
                    span, _, offset, _, inode, *_ = line.split()
                    start, end = (int(number, 16) for number in span.split(b"-"))
                    sizes[inode] = max(sizes.get(inode, 0), int(offset, 16) + end - start)
    return count, sum(sizes.values())
