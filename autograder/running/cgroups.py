"""Control groups of version 2: the kernel counts what all processes of a sandbox use together.

A group bounds memory with the kernel's own share of it (socket buffers, pipes, files in memory, inodes), and the number
of processes and threads, and counts processor time without gaps. The grader needs a place where it may make groups. A
part of the tree may be delegated to it, or systemd makes a group on request. Where there is neither, `watch` counts.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from autograder.running.limits import Limits

PREFIX = "guidance-labs-"
CONTROLLERS = ("memory", "pids")
ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'  # a shell that moves itself, and then becomes the program
REMOVE_S = 2.0  # until the processes of a group have ended
numbers = itertools.count()


@dataclass(frozen=True)
class Group:
    """One control group: that of one sandbox.

    Attributes:
        folder: of the group.
        own: it was made by this process, which removes it.
    """

    folder: Path
    own: bool = True

    @property
    def controllers(self) -> set[str]:
        """What the kernel bounds in this group: of "memory" and "pids"."""
        return {name for name in CONTROLLERS if (self.folder / f"{name}.max").exists()}

    def read_number(self, file: str, key: str = "") -> int | None:
        """Return the number in a file of the group, or that behind a key; None where there is none."""
        with contextlib.suppress(OSError, ValueError):
            for line in (self.folder / file).read_text().splitlines():
                name, _, value = line.rpartition(" ")
                if name == key:
                    return int(value)
        return None

    def cpu_s(self) -> float | None:
        """Return the processor seconds of all that has ever run in the group."""
        used = self.read_number("cpu.stat", "usage_usec")
        return None if used is None else used / 1e6

    def killed_for_memory(self) -> int:
        """Return how many processes the kernel has ended, because the group's memory was used up."""
        return self.read_number("memory.events", "oom_kill") or 0

    def bound(self, limits: Limits) -> None:
        """Bound what a run may use on top of what the group, with the template in it, uses now."""
        values: dict[str, int] = {}
        if (memory := self.read_number("memory.current")) is not None:
            more = limits.memory_bytes + 2 * limits.scratch_bytes
            values |= {"memory.max": memory + more, "memory.swap.max": 0}
        if (tasks := self.read_number("pids.current")) is not None:
            values["pids.max"] = tasks + limits.tasks
        for file, value in values.items():
            with contextlib.suppress(OSError):
                (self.folder / file).write_text(str(value))

    def remove(self) -> None:
        """Remove the group as soon as its processes have ended."""
        end = time.monotonic() + REMOVE_S
        while self.own and time.monotonic() < end:
            try:
                self.folder.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.02)


def own_group(pid: int | str = "self") -> tuple[Path, Path] | None:
    """Return where control groups of version 2 are mounted, and the folder of a process's group; None without any."""
    mounted = None
    with contextlib.suppress(OSError, IndexError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            if after.split()[0] == "cgroup2":
                mounted = Path(before.split()[4])
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            if mounted and line.startswith("0::/"):
                return mounted, mounted / line[len("0::/") :]
    return None


def delegated_place() -> Path | None:
    """Return the folder in which this process may make a group and move a process of its own into it.

    A group with processes in it can have no controlled groups below, so the new group stands beside the own one. Only
    the root of the tree is free of that rule.
    """
    found = own_group()
    if found is None:
        return None
    mounted, own = found
    place = own if own == mounted else own.parent
    return place if os.access(place, os.W_OK) and os.access(place / "cgroup.procs", os.W_OK) else None


def make_group(place: Path | None = None) -> Group | None:
    """Make a group in a place, that which is delegated by default. Return None if that is not allowed."""
    place = place or delegated_place()
    if place is None:
        return None
    remove_left_groups(place)
    with contextlib.suppress(OSError):
        (place / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in CONTROLLERS))
    group = Group(place / f"{PREFIX}{os.getpid()}-{next(numbers)}")
    try:
        group.folder.mkdir()
    except OSError:
        return None
    return group


def remove_left_groups(place: Path) -> None:
    """Remove the groups of graders that were killed."""
    for left in place.glob(f"{PREFIX}*"):
        grader = left.name.removeprefix(PREFIX).partition("-")[0]
        if not Path("/proc", grader).exists():
            with contextlib.suppress(OSError):
                left.rmdir()


@functools.lru_cache
def systemd_command() -> tuple[str, ...]:
    """Return the words before a command that has systemd start it in a group of its own; none where it does not."""
    program = shutil.which("systemd-run")
    if program is None:
        return ()
    words = (program, *(() if os.geteuid() == 0 else ("--user",)), "--scope", "--quiet", "--collect")
    words += ("--property=MemoryAccounting=yes", "--property=TasksAccounting=yes", "--property=Delegate=yes")
    try:
        tried = subprocess.run([*words, "true"], capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ()
    return words if tried.returncode == 0 else ()


@dataclass
class Placement:
    """How a sandbox gets into a control group: `wrap` its command, then `group_of` the process that was started."""

    group: Group | None
    words: tuple[str, ...]

    def wrap(self, command: list[str]) -> list[str]:
        """Return the command that starts another one in the group."""
        return [*self.words, *command]

    def environment(self) -> dict[str, str]:
        """Return the environment that the command needs: systemd of a user is found by a folder."""
        folder = os.environ.get("XDG_RUNTIME_DIR")
        return {"XDG_RUNTIME_DIR": folder} if folder and self.group is None and self.words else {}

    def group_of(self, pid: int) -> Group | None:
        """Return the group in which the started process is, or None."""
        if self.group is not None or not self.words:
            return self.group
        found = own_group(pid)
        return Group(found[1], own=False) if found and found[1].name.endswith(".scope") else None


def placement() -> Placement:
    """Return the best way that this machine offers: a delegated part of the tree, systemd, or no group."""
    group = make_group()
    if group is not None and not can_enter(group):
        group.remove()
        group = None
    if (group is None or "memory" not in group.controllers) and (words := systemd_command()):
        if group is not None:
            group.remove()
        return Placement(None, words)
    return Placement(group, entering(group)) if group is not None else Placement(None, ())


def entering(group: Group) -> tuple[str, ...]:
    """Return the words before a command that start it in a group."""
    return ("/bin/sh", "-c", ENTER, str(group.folder))


def can_enter(group: Group) -> bool:
    """Return whether a process can move itself into a group: permissions alone do not tell."""
    return subprocess.run([*entering(group), "true"], capture_output=True).returncode == 0
