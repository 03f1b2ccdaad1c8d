"""The sandbox, seen from outside: a run is a function from a notebook to outputs and evidence.

`Sandbox` holds one warm template under bubblewrap: no network, its own process namespace, no capabilities, the system
and `utils` read-only, a scratch of bounded size in memory. Everything comes out through one channel whose bytes are
counted here. The supervisor keeps the clocks.
"""

from __future__ import annotations

import contextlib
import json
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from autograder import ROOT

READ_ONLY = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")
MIB = 2**20


class SandboxError(RuntimeError):
    """The machine's fault, not the student's: nothing is stored and nothing is graded."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    cell_s: float = 60.0  # wall time of a cell
    notebook_s: float = 300.0  # wall time of a pass
    cpu_s: int = 300
    memory_bytes: int = 2048 * MIB
    file_bytes: int = 256 * MIB
    scratch_bytes: int = 512 * MIB
    open_files: int = 256
    processes: int = 512
    output_bytes: int = 1 * MIB  # a cell
    frame_bytes: int = 16 * MIB
    total_bytes: int = 128 * MIB
    frames: int = 4000


@dataclass
class Pass:
    """What came out of one pass over the cells. None of it is trusted."""

    outputs: dict[int, dict] = field(default_factory=dict)  # cell -> {"outputs", "execution_count"}
    evidence: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    finished: bool = False
    ended_by: str = ""  # "timeout", "death", "flood" or ""
    last_cell: int | None = None  # the cell that was running
    cpu_s: float = 0.0
    memory_kb: float = 0.0
    wall_s: float = 0.0


def bubblewrap() -> str | None:
    return shutil.which("bwrap")


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
        if protected and bubblewrap() is None:
            raise SandboxError(
                "bubblewrap is not installed, and without it a submission could read and write everything that you can. "
                "Install it with `make sandbox`, or run harmless notebooks with `--sandbox none`."
            )

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # --- the template

    def start(self) -> None:
        ours, theirs = socket.socketpair()
        environment: dict[str, str] = {}
        if self.protected:
            command = self.bubblewrap_command()
        else:
            self.scratch = tempfile.TemporaryDirectory(prefix="lab-unprotected-")
            command = [sys.executable, "-s", str(ROOT / "autograder" / "runner.py")]
            environment = self.environment(str(ROOT), self.scratch.name)
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, close_fds=True
        )
        theirs.close()
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
        for place in READ_ONLY:
            command += ["--ro-bind-try", place, place]
        for prefix in sorted(prefixes):
            command += ["--ro-bind", str(prefix), str(prefix)]
        command += ["--ro-bind", str(ROOT / "utils"), "/course/utils"]
        command += ["--ro-bind", str(ROOT / "autograder" / "runner.py"), "/course/runner.py"]
        for key, value in self.environment("/course", "/tmp").items():
            command += ["--setenv", key, value]
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

    def run(self, cells: list[dict], challenges: dict[str, str], files: dict[str, str] | None = None) -> Pass:
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
            "files": files or {},
            "limits": {k: v for k, v in asdict(self.limits).items() if isinstance(v, int)},
        }
        body = json.dumps(request).encode()
        outcome = Pass()
        try:
            socket.send_fds(self.control, [b"run\n"], [theirs.fileno()])
            theirs.close()
            ours.settimeout(30)
            ours.sendall(f"{len(body)}\n".encode() + body)
            self.supervise(ours, outcome)
        except OSError as error:
            outcome.ended_by = outcome.ended_by or "death"
            if outcome.last_cell is None:
                self.close()
                raise SandboxError(f"the sandbox broke before the submission ran: {error}") from error
        finally:
            ours.close()
            self.end_run(outcome)
        outcome.wall_s = time.monotonic() - started
        return outcome

    def supervise(self, channel: socket.socket, outcome: Pass) -> None:
        """Read frames until the end, a clock, or a limit."""
        frames = Frames(channel, self.control, self.limits)
        notebook_end = time.monotonic() + self.limits.notebook_s
        cell_end = notebook_end
        while True:
            frame = frames.next(min(cell_end, notebook_end))
            if isinstance(frame, str):
                outcome.ended_by = frame
                return
            header, payloads = frame
            kind = header.get("kind")
            index = header.get("index")
            if kind == "start" and isinstance(index, int):
                outcome.last_cell = index
                cell_end = time.monotonic() + self.limits.cell_s
            elif kind == "cell" and isinstance(index, int) and len(payloads) == 1:
                with contextlib.suppress(ValueError):
                    outcome.outputs[index] = json.loads(payloads[0])
            elif kind == "evidence" and isinstance(header.get("name"), str) and len(payloads) == 2:
                outcome.evidence.setdefault(header["name"][:100], []).append((payloads[0], payloads[1]))
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


class Frames:
    """The frames of one channel, with every number bounded."""

    def __init__(self, channel: socket.socket, control: socket.socket, limits: Limits):
        self.channel, self.control, self.limits = channel, control, limits
        self.buffer = bytearray()
        self.total = self.count = 0
        self.dead = False

    def next(self, deadline: float) -> tuple[dict, list[bytes]] | str:
        """The next frame, or why there is none: timeout, death, flood."""
        while True:
            line_end = self.buffer.find(b"\n")
            if line_end >= 0:
                break
            if len(self.buffer) > 65536:
                return "flood"
            if why := self.fill(deadline):
                return why
        try:
            header = json.loads(self.buffer[:line_end])
            sizes = [int(s) for s in header["sizes"]]
        except (ValueError, TypeError, KeyError, RecursionError):
            return "flood"
        self.count += 1
        if (
            len(sizes) > 2
            or any(s < 0 or s > self.limits.frame_bytes for s in sizes)
            or self.count > self.limits.frames
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
        left = deadline - time.monotonic()
        if left <= 0:
            return "timeout"
        watched = [self.channel] if self.dead else [self.channel, self.control]
        ready, _, _ = select.select(watched, [], [], 0 if self.dead else left)
        if self.channel in ready:
            data = self.channel.recv(1 << 20)
            self.total += len(data)
            if self.total > self.limits.total_bytes:
                return "flood"
            self.buffer += data
            return "" if data else "death"
        if self.control in ready:
            self.control.recv(16)
            self.dead = True
            return ""
        return "death" if self.dead else "timeout"


@contextlib.contextmanager
def open_sandbox(limits: Limits | None = None, protected: bool = True) -> Iterator[Sandbox]:
    sandbox = Sandbox(limits, protected)
    try:
        yield sandbox
    finally:
        sandbox.close()
