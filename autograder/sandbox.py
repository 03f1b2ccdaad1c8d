"""The sandbox, seen from outside: a run is a function from a notebook to outputs and evidence.

`Sandbox` holds one warm template under bubblewrap: no network, its own process namespace, no capabilities, everything
read-only but a scratch of bounded size in memory. Everything comes out through one channel whose bytes are counted
here. The supervisor keeps the clocks, and watches how many processes there are and what memory they hold together.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from autograder import ROOT
from autograder.outputs import read_outputs

READ_ONLY = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")
MIB = 2**20
WATCH_S = 0.25

# System calls that a notebook has no use for: reading other processes, memory that no limit counts, what outlives its
# maker in a namespace, and the kernel's newest doors. Numbers by machine.
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
REFUSED_CALLS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "io_uring_setup": (425, 425),
}


class SandboxError(RuntimeError):
    """The machine's fault, not the student's: nothing is stored and nothing is graded."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    cell_s: float = 60.0  # wall time of a cell
    notebook_s: float = 300.0  # wall time of a pass
    cpu_s: int = 300
    submission_s: float = 900.0  # all passes together: no further one is begun after this
    memory_bytes: int = 2048 * MIB  # of a process on top of the template's, and of all processes together
    file_bytes: int = 256 * MIB
    scratch_bytes: int = 512 * MIB
    open_files: int = 256
    processes: int = 64  # at one time
    tasks: int = 512  # processes and threads; the kernel counts them only where the grader is not root
    output_bytes: int = 1 * MIB  # a cell
    frame_bytes: int = 16 * MIB
    total_bytes: int = 128 * MIB
    frames: int = 4000  # on top of two for each cell


@dataclass
class Pass:
    """What came out of one pass over the cells. None of it is trusted."""

    outputs: dict[int, dict] = field(default_factory=dict)  # cell -> {"outputs", "execution_count"}
    output_bytes: dict[int, int] = field(default_factory=dict)  # cell -> their size as they came
    evidence: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    finished: bool = False
    ended_by: str = ""  # "timeout", "death", "flood", "memory", "processes" or ""
    last_cell: int | None = None  # the cell that was running
    cpu_s: float = 0.0
    memory_kb: float = 0.0
    wall_s: float = 0.0


def bubblewrap() -> str | None:
    return shutil.which("bwrap")


def require_bubblewrap() -> None:
    """Before a class is begun: a sandbox that cannot start is one sentence, not one for every student.

    Raises:
        SandboxError: bubblewrap is missing, or the system does not let it start.
    """
    program = bubblewrap()
    if program is None:
        raise SandboxError(
            "bubblewrap is not installed, and without it a submission could read and write everything that you can. "
            "Install it with `make sandbox`, or run harmless notebooks with `--sandbox none`."
        )
    command = [program, "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    tried = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    if tried.returncode:
        words = " ".join(tried.stderr.split())[:300]
        raise SandboxError(
            f"bubblewrap is installed, but the system does not let it start ({words}). Ubuntu 23.10 and later forbid what it "
            "needs; `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` allows it until the next start."
        )


@functools.lru_cache
def bubblewrap_knows(option: str) -> bool:
    """Older versions lack `--disable-userns`; the filter of system calls refuses `unshare` there too."""
    return option in subprocess.run([bubblewrap(), "--help"], capture_output=True, text=True).stdout


def call_filter() -> bytes | None:
    """The refused system calls as a program for seccomp; None on a machine whose numbers are not listed."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        return None
    column = list(ARCHITECTURES).index(machine)
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06  # BPF: load a word, jump if ==, jump if >=, return
    allow, refuse, kill = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # SECCOMP_RET_…; 1 is EPERM
    calls = [numbers[column] for numbers in REFUSED_CALLS.values()]
    program = [(load, 0, 0, 4), (equal, 1, 0, ARCHITECTURES[machine]), (give, 0, 0, kill), (load, 0, 0, 0)]
    # Each test that succeeds jumps over the tests that are left and over "allow".
    program += [(at_least, len(calls) + 1, 0, 0x40000000)]  # the x32 numbering of the same calls
    program += [(equal, len(calls) - i, 0, number) for i, number in enumerate(calls)]
    program += [(give, 0, 0, allow), (give, 0, 0, refuse)]
    return b"".join(struct.pack("HBBI", *line) for line in program)


class Sandbox:
    """One slot: one template, one run at a time.

    Args:
        protected: under bubblewrap. False runs the same runner as an ordinary process: for harmless classes only.

    Raises:
        SandboxError: bubblewrap is missing, or the template does not start.
    """

    def __init__(self, limits: Limits | None = None, protected: bool = True):
        self.limits = limits or Limits()
        self.protected = protected
        self.process: subprocess.Popen | None = None
        self.control: socket.socket | None = None
        self.scratch: tempfile.TemporaryDirectory | None = None
        if protected:
            require_bubblewrap()

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # --- the template

    def start(self) -> None:
        ours, theirs = socket.socketpair()
        environment: dict[str, str] = {}  # empty: /proc/1/environ is no way to the grader's
        kept: tuple[int, ...] = ()
        if self.protected:
            command = self.bubblewrap_command()
            if program := call_filter():
                reading, writing = os.pipe()
                os.write(writing, program)
                os.close(writing)
                command[1:1] = ["--seccomp", str(reading)]
                kept = (reading,)
        else:
            self.scratch = tempfile.TemporaryDirectory(prefix="lab-unprotected-")
            command = [sys.executable, "-s", str(ROOT / "autograder" / "runner.py")]
            environment = self.environment(str(ROOT), self.scratch.name)
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, pass_fds=kept
        )
        theirs.close()
        for descriptor in kept:
            os.close(descriptor)
        self.control = ours
        if self.read_control(time.monotonic() + 120) != b"ready":
            self.process.kill()
            words = self.process.stderr.read()[-2000:].decode(errors="replace")
            self.close()
            raise SandboxError(f"the sandbox did not start:\n{words}")

    def environment(self, course: str, scratch: str) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": scratch,
            "TMPDIR": scratch,
            "LAB_SCRATCH": scratch,
            "LAB_BUDGET": "grade",
            "PYTHONPATH": course,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONSAFEPATH": "1",
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "LANG": "C.UTF-8",
            "MPLCONFIGDIR": f"{scratch}/matplotlib",
            "IPYTHONDIR": f"{scratch}/ipython",
        }

    def bubblewrap_command(self) -> list[str]:
        prefixes = {Path(p).resolve() for p in (sys.prefix, sys.base_prefix)} | {Path(sys.prefix)}
        command = [
            bubblewrap(), "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--die-with-parent",
            "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--clearenv", "--proc", "/proc", "--dev", "/dev",
            "--size", str(self.limits.scratch_bytes), "--tmpfs", "/dev/shm",
            "--size", str(self.limits.scratch_bytes), "--tmpfs", "/tmp",
        ]  # fmt: skip
        if bubblewrap_knows("--disable-userns"):
            command.append("--disable-userns")
        if ROOT in prefixes:
            raise SandboxError(
                f"Python's environment and the course are one folder, {ROOT}: the sandbox would show the verdicts to "
                "students. Make an environment in a folder of its own; `make` makes .venv."
            )
        # An environment in /tmp: what leads to it is read-only too, and the wiping of /tmp leaves it alone.
        leading = {
            Path("/tmp", p.relative_to("/tmp").parts[0]) for p in prefixes if p.is_relative_to("/tmp")
        } - prefixes
        for folder in sorted(leading):
            command += ["--tmpfs", str(folder)]
        inside = {prefix for prefix in prefixes if prefix.is_relative_to(ROOT)}
        for place in READ_ONLY:
            command += ["--ro-bind-try", place, place]
        for prefix in sorted(prefixes - inside):
            command += ["--ro-bind", str(prefix), str(prefix)]
        # A course in /usr/src, say: nothing of it is to be seen but an environment.
        covered = any(
            ROOT.is_relative_to(Path(place).resolve()) for place in [*READ_ONLY, *map(str, prefixes - inside)]
        )
        if covered:
            command += ["--tmpfs", str(ROOT)]
        for prefix in sorted(inside):
            command += ["--ro-bind", str(prefix), str(prefix)]
        for prefix in sorted(prefixes):
            for installed in prefix.glob("lib/python*/site-packages/autograder"):
                command += ["--tmpfs", str(installed), "--remount-ro", str(installed)]  # no verdict inside
        for folder in sorted(leading | ({ROOT} if covered else set())):
            command += ["--remount-ro", str(folder)]
        command += ["--ro-bind", str(ROOT / "utils"), "/course/utils"]
        command += ["--ro-bind", str(ROOT / "autograder" / "runner.py"), "/course/runner.py"]
        for key, value in self.environment("/course", "/tmp").items():
            command += ["--setenv", key, value]
        # The root and /dev are memory file systems of bubblewrap's own, unbounded: nobody may write there.
        command += ["--remount-ro", "/dev", "--remount-ro", "/"]
        return [*command, "--chdir", "/tmp", "--", sys.executable, "-s", "/course/runner.py"]

    def close(self) -> None:
        if self.control is not None:
            self.control.close()
            self.control = None
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()
            self.process = None
        if self.scratch is not None:
            self.scratch.cleanup()
            self.scratch = None

    def read_control(self, deadline: float) -> bytes | None:
        """One line from the template; None when it is dead or late."""
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.control], [], [], left)[0]:
                return None
            byte = self.control.recv(1)
            if not byte:
                return None
            line += byte
        return line.strip()

    # --- one run

    def run(self, cells: list[dict], challenges: dict[str, str]) -> Pass:
        """Execute cells (`{"index", "source"}`) in a fresh child.

        Raises:
            SandboxError: the template could not be started.
        """
        if self.process is None or self.process.poll() is not None:
            self.close()
            self.start()
        started = time.monotonic()
        ours, theirs = socket.socketpair()
        request = {
            "cells": cells,
            "challenges": challenges,
            "limits": {k: v for k, v in asdict(self.limits).items() if isinstance(v, int)},
        }
        body = json.dumps(request).encode()
        outcome = Pass()
        try:
            socket.send_fds(self.control, [b"run\n"], [theirs.fileno()])
            theirs.close()
            ours.settimeout(30)
            ours.sendall(f"{len(body)}\n".encode() + body)
            self.supervise(ours, outcome, {cell["index"] for cell in cells}, set(challenges))
        except OSError as error:
            outcome.ended_by = outcome.ended_by or "death"
            if outcome.last_cell is None:
                self.close()
                raise SandboxError(f"the sandbox broke before the submission ran: {error}") from error
        finally:
            ours.close()
            theirs.close()
            self.end_run(outcome)
        if outcome.last_cell is None and not outcome.finished:
            self.close()
            raise SandboxError(f"the sandbox broke before the submission ran ({outcome.ended_by})")
        outcome.wall_s = time.monotonic() - started
        return outcome

    def supervise(self, channel: socket.socket, outcome: Pass, cells: set[int], exercises: set[str]) -> None:
        """Read frames until the end, a clock, or a limit. What names no cell or exercise of the request is dropped."""
        frames = Frames(channel, self.control, self.limits, 2 * len(cells), Watch(self.process.pid, self.limits))
        notebook_end = time.monotonic() + self.limits.notebook_s
        cell_end = notebook_end
        while True:
            frame = frames.next(min(cell_end, notebook_end))
            if isinstance(frame, str):
                outcome.ended_by = frame
                return
            header, payloads = frame
            kind, index, name = header.get("kind"), header.get("index"), header.get("name")
            known = type(index) is int and index in cells
            if kind == "start" and known:
                outcome.last_cell = index
                cell_end = time.monotonic() + self.limits.cell_s
            elif kind == "cell" and known and len(payloads) == 1:
                outcome.outputs[index] = read_outputs(payloads[0])
                outcome.output_bytes[index] = len(payloads[0])
            elif kind == "evidence" and isinstance(name, str) and name in exercises and len(payloads) == 2:
                copies = outcome.evidence.setdefault(name, [])
                if len(copies) < 2:  # two are as wrong as a thousand
                    copies.append((payloads[0], payloads[1]))
            elif kind == "done":
                outcome.finished = True
                return

    def end_run(self, outcome: Pass) -> None:
        """Have the template end all processes; a template that does not answer is replaced at the next run."""
        if self.control is None:
            return
        try:
            self.control.sendall(b"end\n")
            answer = self.read_control(time.monotonic() + 20)
            while answer == b"dead":
                answer = self.read_control(time.monotonic() + 20)
            usage = json.loads(answer)
            outcome.cpu_s, outcome.memory_kb = float(usage["cpu_s"]), float(usage["memory_kb"])
        except (OSError, TypeError, ValueError, KeyError):
            self.close()


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


class Frames:
    """The frames of one channel, with every number bounded."""

    def __init__(self, channel: socket.socket, control: socket.socket, limits: Limits, expected: int, watch: Watch):
        self.channel, self.control, self.limits, self.watch = channel, control, limits, watch
        self.most = limits.frames + expected
        self.buffer = bytearray()
        self.total = self.count = 0
        self.dead = False

    def next(self, deadline: float) -> tuple[dict, list[bytes]] | str:
        """The next frame, or why there is none: timeout, death, flood, processes, memory."""
        while True:
            line_end = self.buffer.find(b"\n", 0, 65536)
            if line_end >= 0:
                break
            if len(self.buffer) > 65536:
                return "flood"
            if why := self.fill(deadline):
                return why
        try:
            header = json.loads(self.buffer[:line_end])
            sizes = header["sizes"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return "flood"
        self.count += 1
        if (
            not isinstance(sizes, list)
            or len(sizes) > 2
            or any(type(s) is not int or not 0 <= s <= self.limits.frame_bytes for s in sizes)
            or self.count > self.most
        ):
            return "flood"
        end = line_end + 1 + sum(sizes)
        while len(self.buffer) < end:
            if why := self.fill(deadline):
                return why
        payloads, at = [], line_end + 1
        for size in sizes:
            payloads.append(bytes(self.buffer[at : at + size]))
            at += size
        del self.buffer[:end]
        return header, payloads

    def fill(self, deadline: float) -> str:
        """Read more. A dead child's last bytes are still read."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return "timeout"
            if why := self.watch.look():
                return why
            watched = [self.channel] if self.dead else [self.channel, self.control]
            ready, _, _ = select.select(watched, [], [], 0 if self.dead else min(left, WATCH_S))
            if self.channel in ready:
                data = self.channel.recv(1 << 20)
                self.total += len(data)
                if self.total > self.limits.total_bytes:
                    return "flood"
                self.buffer += data
                return "" if data else "death"
            if self.dead:
                return "death"
            if self.control in ready:
                self.control.recv(16)
                self.dead = True
