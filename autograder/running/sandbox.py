"""The sandbox, seen from outside: a run is a function from a notebook to outputs and evidence.

`Sandbox` holds one warm template under bubblewrap: no network, its own process namespace, no capabilities, everything
read-only but a scratch of bounded size in memory. Everything comes out through one channel whose bytes are counted
here. The supervisor keeps the clocks, and watches how many processes there are and what memory they hold together."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from autograder import ROOT
from autograder.errors import SandboxError
from autograder.running.bubblewrap import bubblewrap, bubblewrap_knows, require_bubblewrap
from autograder.running.frames import Frames
from autograder.running.limits import Limits, Pass
from autograder.running.outputs import read_outputs
from autograder.running.syscalls import call_filter
from autograder.running.watch import Watch

READ_ONLY = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")


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
            command = [sys.executable, "-s", str(ROOT / "autograder" / "running" / "inside" / "runner.py")]
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
        command += ["--ro-bind", str(ROOT / "autograder" / "running" / "inside" / "runner.py"), "/course/runner.py"]
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
