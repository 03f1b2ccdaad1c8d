"""What a submission could change of the template, or of the namespaces around it, for the submissions after it.

The template compares its state after each run with the state before the first one. Most changes are refused by the
call filter; the comparison covers those that a machine or a filter lets through.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import resource
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

FILE_SYSTEMS = ("/tmp", "/dev/shm")  # that a notebook may write to
STATUS = ("Umask", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewPrivs", "Seccomp")
SELF_READ = ("oom_score_adj", "coredump_filter", "autogroup", "personality", "timerslack_ns", "uid_map", "gid_map")
IOPRIO_GET = {"x86_64": 252, "aarch64": 31}
PR_GET_TIMERSLACK = 30  # of prctl
IPC = ("msg", "sem", "shm")
NETWORK = ("tcp", "tcp6", "udp", "udp6", "unix")
TRAFFIC = ("dev", "snmp")
FS_IOC_GETFLAGS = 0x80086601  # of ioctl

State = dict[str, object]


def take_state() -> State:
    """Return the template's state, by name. What this machine cannot tell is None, before and after."""
    return {name: attempt(read) for name, read in READERS.items()}


def changes(before: State) -> list[str]:
    """Return the names of what has changed since."""
    after = take_state()
    return [name for name, value in before.items() if after[name] != value]


def attempt(read: Callable[[], object]) -> object:
    """Return what a function reads; None where the machine does not have it, or does not show it."""
    try:
        return read()
    except (OSError, ValueError, AttributeError):
        return None


def limits() -> object:
    """Return all resource limits of this process."""
    numbers = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")})
    return [(number, resource.getrlimit(number)) for number in numbers]


def scheduling() -> object:
    """Return on which processors this process runs, and with which class and priority."""
    number = IOPRIO_GET.get(platform.machine())
    return (
        sorted(os.sched_getaffinity(0)),
        os.sched_getscheduler(0),
        os.sched_getparam(0).sched_priority,
        os.getpriority(os.PRIO_PROCESS, 0),
        ctypes.CDLL(None).syscall(number, 1, 0) if number else None,
        ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0),
    )


def signals() -> object:
    """Return which signals are blocked, and what each of them does."""
    return signal.pthread_sigmask(signal.SIG_BLOCK, []), [signal.getsignal(s) for s in sorted(signal.valid_signals())]


def status() -> object:
    """Return what the kernel says about this process: file mode mask, threads, signals, capabilities."""
    lines = (line.partition(":") for line in Path("/proc/self/status").read_text().splitlines())
    found = {name: value.strip() for name, _, value in lines if name in STATUS}
    return found | {name: attempt((Path("/proc/self") / name).read_text) for name in SELF_READ}


def open_files() -> object:
    """Return the open files with their flags, which a child with the same file shares."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        place = attempt(partial(os.readlink, f"/proc/self/fd/{name}"))
        if place is not None and not str(place).endswith("/fd"):  # the folder that is listed just now
            found[name] = (place, fcntl.fcntl(int(name), fcntl.F_GETFL), fcntl.fcntl(int(name), fcntl.F_GETFD))
    return found


def files() -> object:
    """Return the files that are left in the file systems that a notebook may write to, and how much they take.

    A file without a name counts too, and so does what the folder itself holds: its mode, its attributes and access
    rules, which new files would inherit, and its flags. `wipe_scratch` sets its times.
    """
    found = []
    for place in FILE_SYSTEMS:
        system, top = os.statvfs(place), os.stat(place)
        found.append(
            (
                sorted(os.listdir(place)),
                (system.f_files - system.f_ffree, system.f_blocks - system.f_bfree),
                (top.st_mode, top.st_uid, top.st_gid),
                attempt(partial(attributes, place)),
                attempt(partial(inode_flags, place)),
            )
        )
    return found


def attributes(place: str) -> list[tuple[str, bytes]]:
    """Return the extended attributes of a folder, access rules included."""
    return [(name, os.getxattr(place, name)) for name in sorted(os.listxattr(place))]


def inode_flags(place: str) -> bytes:
    """Return the flags of a folder, such as "no access times"."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        return fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, bytes(8))
    finally:
        os.close(descriptor)


def network() -> object:
    """Return how many sockets of the network namespace are in use, and what has been sent in it.

    A closed connection may live on for a minute, and the counters of packets for ever: a message to the next student.
    """
    sockets = {name: len(Path(f"/proc/self/net/{name}").read_text().splitlines()) for name in NETWORK}
    return sockets, [attempt(Path(f"/proc/self/net/{name}").read_text) for name in TRAFFIC]


def system_v() -> object:
    """Return the System V messages, semaphores and shared memory of the namespace."""
    return [Path(f"/proc/sysvipc/{name}").read_text() for name in IPC]


READERS: dict[str, Callable[[], object]] = {
    "limits": limits,
    "scheduling": scheduling,
    "signals": signals,
    "status": status,
    "session": lambda: (os.getsid(0), os.getpgid(0), os.getuid(), os.getgid(), os.getgroups()),
    "working folder": lambda: (os.getcwd(), os.stat("/").st_ino),
    "environment": lambda: dict(os.environ),
    "open files": open_files,
    "files in memory": files,
    "network": network,
    "System V memory": system_v,
}
