"""Which guarantees of the sandbox this machine gives, by what, and what follows where one is missing.

Everything is tried and nothing assumed: a small program starts in the same sandbox as a submission and reports.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass, field

from autograder.errors import SandboxError
from autograder.running.bubblewrap import bubblewrap, bubblewrap_command, bubblewrap_knows, require_bubblewrap
from autograder.running.cgroups import CONTROLLERS, placement
from autograder.running.limits import MIB, Limits
from autograder.running.processes import descendants, open_descriptors, read_bytes
from autograder.running.syscalls import open_filter
from autograder.running.watch import files_used, local_socket_bytes

NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
OLDEST_KERNEL = (5, 3)  # the first with handles on processes
PROBE_S = 300.0
MAPPING_BYTES = 300  # of the kernel's memory, about
# Runs inside: which namespaces it is in, what the filter refuses, what it may not do, how many timers it can have, and
# what of the template's state this machine shows.
PROBE = """
import ctypes, json, os, platform, resource, socket, sys
from inside.state import take_state
found = {"namespaces": {n: os.readlink("/proc/self/ns/" + n) for n in os.listdir("/proc/self/ns")}}
found["status"] = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
def refused(action):
    try:
        action()
    except OSError:
        return True
    return False
found["vsock"] = refused(lambda: socket.socket(40, socket.SOCK_STREAM))
found["netlink"] = refused(lambda: socket.socket(16, socket.SOCK_RAW))
found["signal"] = refused(lambda: os.kill(1, 10))
found["namespace"] = ctypes.CDLL(None).unshare(0x10000000) == -1
found["system"] = refused(lambda: open("/usr/x", "w"))
found["state"] = {name: value is not None for name, value in take_state().items()}
most, number = int(sys.argv[1]), {"x86_64": 222, "aarch64": 107}.get(platform.machine())
resource.setrlimit(resource.RLIMIT_SIGPENDING, (most, most))
libc, timer, timers = ctypes.CDLL(None), ctypes.c_int(), 0
while number and timers <= most and libc.syscall(number, 0, None, ctypes.byref(timer)) == 0:
    timers += 1
found["timers"] = timers if number else None
print(json.dumps(found), flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Guarantee:
    """One row of the table.

    Attributes:
        name: what is guaranteed.
        given: whether this machine gives it.
        by: the mechanism that was found.
        otherwise: what follows if it is missing; "" where it is given.
    """

    name: str
    given: bool
    by: str
    otherwise: str = ""


@dataclass
class Inside:
    """What the small program in the sandbox reported."""

    report: dict = field(default_factory=dict)
    files_counted: bool = False
    processes_readable: bool = False
    mappings_readable: bool = False
    problem: str = ""


def look_inside() -> Inside:
    """Start a small program in the sandbox, and return what it reports. A sandbox that does not start is a problem."""
    found = Inside()
    kept: tuple[int, ...] = ()
    try:
        require_bubblewrap()
        command = bubblewrap_command(Limits())
        command = [*command[: command.index("--", 1) + 1], sys.executable, "-s", "-c", PROBE]
        command.append(str(Limits().timers))
        if (descriptor := open_filter()) is not None:
            command[1:1] = ["--seccomp", str(descriptor)]
            kept = (descriptor,)
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env={}, pass_fds=kept)
    except (SandboxError, OSError) as error:
        found.problem = str(error)
        return found
    finally:
        for descriptor in kept:
            os.close(descriptor)
    with process, contextlib.ExitStack() as at_end:
        at_end.callback(process.kill)
        assert process.stdout is not None  # it is a pipe
        ready = select.select([process.stdout], [], [], PROBE_S)[0]
        try:
            found.report = json.loads(process.stdout.readline() if ready else b"")
        except ValueError:
            found.problem = "the sandbox did not start a small program"
            return found
        members = [one.pid for one in descendants(process.pid)]
        found.files_counted = any(files_used(pid) is not None for pid in members)
        found.processes_readable = all(open_descriptors(pid) is not None for pid in members)
        found.mappings_readable = all(read_bytes(f"/proc/{pid}/maps") for pid in members)
    return found


def guarantees() -> list[Guarantee]:
    """Return the table: all guarantees, in the order in which they matter."""
    inside = look_inside()
    return [
        *isolation(inside),
        *counted_by_the_kernel(),
        *counted_by_the_watch(inside),
        *left_behind(inside),
        *around(),
    ]


def isolation(inside: Inside) -> list[Guarantee]:
    """Return the rows on what a submission can reach."""
    report, program = inside.report, bubblewrap()
    version = read_version(program) if program else ""
    own = {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")}
    theirs = report.get("namespaces", {})
    apart = [name for name in NAMESPACES if theirs.get(name) and theirs[name] != own.get(name)]
    together = [name for name in NAMESPACES if name not in apart]
    status = {name: value.strip() for name, value in report.get("status", {}).items()}
    refused = [name for name in ("vsock", "netlink", "signal") if report.get(name)]
    filtered = status.get("Seccomp") == "2" and len(refused) == 3
    no_sandbox = f"Nothing is graded: {inside.problem or 'the sandbox does not start'}"
    return [
        Guarantee("a sandbox starts", bool(report), version or "nothing", "" if report else no_sandbox),
        Guarantee(
            "files, processes, network and users apart",
            not together,
            f"namespaces: {', '.join(apart) or 'none'}",
            f"A submission shares with the machine: {', '.join(together)}." if together else "",
        ),
        Guarantee(
            "system calls filtered",
            filtered,
            "seccomp" if filtered else "nothing",
            ""
            if filtered
            else "More of the kernel can be reached, vsock included. A template that was changed is "
            "found after the run and replaced.",
        ),
        Guarantee(
            "no namespaces inside",
            bool(report.get("namespace")),
            "bubblewrap and seccomp" if bubblewrap_knows("--disable-userns") else "seccomp",
            "" if report.get("namespace") else "A submission can reach more of the kernel through a namespace.",
        ),
        Guarantee(
            "no rights inside",
            status.get("CapEff", "1").strip("0") == "" and bool(report.get("system")),
            "no capabilities, a read-only system",
            "" if report.get("system") else "A submission could change the system that the next one sees.",
        ),
    ]


def counted_by_the_kernel() -> list[Guarantee]:
    """Return the rows on what control groups bound."""
    place = placement()
    group = place.group
    try:
        controllers = set(CONTROLLERS) if place.words and group is None else group.controllers if group else set()
        cpu = bool(place.words) and (group is None or group.cpu_s() is not None)
    finally:
        if group is not None:
            group.remove()
    by = "control group, by systemd" if place.words and group is None else "control group, delegated"
    watch = "the watch, four times a second"
    how = "Start the grader with `systemd-run --user --scope -p Delegate=yes`, for example."
    not_memory = f"Buffers of sockets and pipes are counted at their largest, not as they are. {how}"
    not_tasks = f"A burst between two looks is bounded only by the limits of one process. {how}"
    not_cpu = "The time of children that nobody waits for is counted as waiting."
    memory, tasks = "memory" in controllers, "pids" in controllers
    user_tasks = os.geteuid() != 0
    return [
        Guarantee("memory in total", memory, by if memory else watch, "" if memory else not_memory),
        Guarantee(
            "processes and threads in total",
            tasks or user_tasks,
            by if tasks else "a limit of the user" if user_tasks else watch,
            "" if tasks or user_tasks else not_tasks,
        ),
        Guarantee("processor time in total", cpu, by if cpu else watch, "" if cpu else not_cpu),
    ]


def counted_by_the_watch(inside: Inside) -> list[Guarantee]:
    """Return the rows on what the grader itself counts."""
    sockets = Limits().socket_bytes // local_socket_bytes()
    waits = len(read_bytes("/proc/self/schedstat").split()) == 3
    pipes = int(read_bytes("/proc/sys/fs/pipe-user-pages-soft") or b"0")
    readable = inside.processes_readable
    return [
        Guarantee(
            "files and folders in memory",
            inside.files_counted,
            f"the watch: at most {Limits().files:,}",
            "" if inside.files_counted else "A run whose files cannot be counted is ended.",
        ),
        Guarantee(
            "no process hides",
            readable,
            "the watch reads every process; one that hides ends the run",
            "" if readable else "Runs would be ended, because the grader cannot read their processes.",
        ),
        Guarantee(
            "sockets",
            inside.files_counted,
            f"the watch: at most {sockets:,} sockets, which hold {Limits().socket_bytes // MIB} MiB",
        ),
        Guarantee(
            "pipes",
            pipes > 0,
            f"the kernel: {pipes * 4 // 1024} MiB for a user" if pipes else "nothing",
            "" if pipes else "Set fs.pipe-user-pages-soft to 16384.",
        ),
        Guarantee(
            "a grade that does not depend on other work",
            waits,
            "processor time, and the time waited for a processor" if waits else "processor time",
            "" if waits else "On a busy machine, waiting for a processor may count as a submission's own waiting.",
        ),
    ]


def left_behind(inside: Inside) -> list[Guarantee]:
    """Return the rows on what a run can take of the kernel for itself, or leave for the next run."""
    most, each = Limits().mappings, int(read_bytes("/proc/sys/vm/max_map_count") or b"0")
    timers, state = inside.report.get("timers"), inside.report.get("state", {})
    bounded = timers is not None and timers <= Limits().timers
    hidden = [name for name, shown in state.items() if not shown]
    compared = len(state) - len(hidden)
    return [
        Guarantee(
            "memory mappings",
            inside.mappings_readable,
            f"the watch: at most {most:,} of all processes; the kernel: {each:,} of each",
            ""
            if inside.mappings_readable
            else f"Each process may have {each:,}, which take {each * MAPPING_BYTES // MIB} MiB of kernel memory.",
        ),
        Guarantee(
            "timers and waiting signals",
            bounded,
            f"a limit of the user: {Limits().timers:,}" if bounded else "nothing",
            ""
            if bounded
            else "A submission could take all that your user may have, and your other programs would get none.",
        ),
        Guarantee(
            "nothing is left for the next submission",
            compared > 0 and not hidden,
            f"{compared} parts of the template's state are compared after each run",
            f"This machine does not show: {', '.join(hidden)}. Only the filter of system calls protects these."
            if hidden
            else ""
            if compared
            else "The template's state cannot be read.",
        ),
    ]


def around() -> list[Guarantee]:
    """Return the rows on the machine around the sandbox."""
    release = os.uname().release
    new = tuple(int(part) for part in release.split("-")[0].split(".")[:2]) >= OLDEST_KERNEL
    root = os.geteuid() == 0
    return [
        Guarantee(
            "the grader is not root",
            not root,
            "root" if root else "an ordinary user",
            "A fault of the kernel or of bubblewrap would give a submission the whole machine. Grade as an ordinary "
            "user."
            if root
            else "",
        ),
        Guarantee(
            "kernel",
            new,
            release,
            "" if new else f"The sandbox needs Linux {'.'.join(map(str, OLDEST_KERNEL))} or later.",
        ),
    ]


def read_version(program: str) -> str:
    """Return what a program says of its version."""
    return subprocess.run([program, "--version"], capture_output=True, text=True, errors="replace").stdout.strip()
