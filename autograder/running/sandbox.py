"""The sandbox, seen from outside: a run is a function from a notebook to outputs and evidence.

`Sandbox` holds one warm template under bubblewrap. Everything comes out through one channel, and its bytes are counted
here. The supervisor keeps the clocks, and watches what all processes of a run use together.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace

from autograder import ROOT
from autograder.errors import SandboxError
from autograder.running.bubblewrap import bubblewrap_command, require_bubblewrap, template_environment
from autograder.running.cgroups import Group, Placement, placement
from autograder.running.clock import Clock
from autograder.running.frames import Frames
from autograder.running.limits import Limits
from autograder.running.outputs import read_outputs
from autograder.running.processes import descendants
from autograder.running.run_types import MAX_COPIES, EvidenceFiles, Pass
from autograder.running.syscalls import open_filter
from autograder.running.watch import WATCH_S, Watch

START_S = 300.0  # of processor time until a template is ready; it may wait as long, and longer on a busy machine
SEND_S, END_S = 600.0, 300.0  # of wall time until it has read a request, and until it has ended a run
NOT_READY = {
    "timeout": "its imports are too slow",
    "idle": "it waits for something. Often that is a slow disk, or a network file system with the Python environment",
    "busy": "the machine has too much other work. Run the command again later, or with fewer `--workers`",
}
CHANGED = (
    "A submission has changed the template that later submissions start from (%s). The template is replaced, so no "
    "other submission is affected."
)
LAST_WORDS_S = 5.0  # to read what a killed template has printed


class PassCollector:
    """Collects the frames of one pass. What names no cell or exercise of the request is dropped."""

    def __init__(self, cells: set[int], exercises: set[str]):
        self.cells, self.exercises = cells, exercises
        self.outputs: dict[int, dict] = {}
        self.output_bytes: dict[int, int] = {}
        self.evidence: dict[str, list[EvidenceFiles]] = {}
        self.finished = False
        self.ended_by = ""
        self.last_cell: int | None = None
        self.used_s = self.cpu_s = self.memory_kb = 0.0

    def add(self, header: dict, payloads: list[bytes]) -> bool:
        """Take in one frame, and return whether it starts a cell."""
        kind, given, name = header.get("kind"), header.get("index"), header.get("name")
        index = given if type(given) is int and given in self.cells else None
        if kind == "start" and index is not None:
            self.last_cell = index
            return True
        if kind == "cell" and index is not None and len(payloads) == 1:
            self.outputs[index] = read_outputs(payloads[0])
            self.output_bytes[index] = len(payloads[0])
        elif kind == "evidence" and isinstance(name, str) and name in self.exercises and len(payloads) == 2:
            copies = self.evidence.setdefault(name, [])
            if len(copies) < MAX_COPIES:
                copies.append((payloads[0], payloads[1]))
        elif kind == "done":
            self.finished = True
        return False

    def freeze(self, wall_s: float) -> Pass:
        """Return what was collected."""
        return Pass(
            outputs=self.outputs,
            output_bytes=self.output_bytes,
            evidence={name: tuple(copies) for name, copies in self.evidence.items()},
            finished=self.finished,
            ended_by=self.ended_by,
            last_cell=self.last_cell,
            used_s=self.used_s,
            cpu_s=self.cpu_s,
            wall_s=wall_s,
            memory_kb=self.memory_kb,
        )


class Sandbox:
    """One slot: one template, one run at a time.

    Args:
        limits: what one submission may use.
        protected: under bubblewrap. False runs the same template as an ordinary process: for harmless classes only.
        single: for one notebook, which imports by itself what only some notebooks need.

    Raises:
        SandboxError: bubblewrap is missing or may not start.
    """

    def __init__(self, limits: Limits | None = None, protected: bool = True, single: bool = False):
        self.limits = limits or Limits()
        self.protected = protected
        self.options = ["--single"] if single else []  # of inside/runner.py
        self.process: subprocess.Popen | None = None
        self.control: socket.socket | None = None
        self.scratch: tempfile.TemporaryDirectory | None = None
        self.group: Group | None = None
        if protected:
            require_bubblewrap()

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # --- the template

    def start(self) -> None:
        """Start the template, and wait until it has imported everything.

        Raises:
            SandboxError: it did not start; the message has what it printed.
        """
        self.control, theirs = socket.socketpair()
        environment: dict[str, str] = {}  # empty: /proc/1/environ would show the grader's
        kept: tuple[int, ...] = ()
        place = placement() if self.protected else Placement(None, ())
        if self.protected:
            command = bubblewrap_command(self.limits, self.options)
            if (calls := open_filter()) is not None:
                command[1:1] = ["--seccomp", str(calls)]
                kept = (calls,)
            command, environment = place.wrap(command), place.environment()
        else:
            self.scratch = tempfile.TemporaryDirectory(prefix="lab-unprotected-")
            command = [sys.executable, "-s", "-m", "autograder.running.inside.runner", *self.options]
            environment = template_environment(str(ROOT), self.scratch.name)
        self.process = subprocess.Popen(
            command,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            pass_fds=kept,
        )
        self.group = place.group
        theirs.close()
        for descriptor in kept:
            os.close(descriptor)
        self.await_ready()
        self.group = place.group_of(self.process.pid)
        if self.group is not None:
            self.group.bound(self.limits)

    def await_ready(self) -> None:
        """Wait until the template has imported everything.

        Raises:
            SandboxError: it ended, or was not ready in time; the message says which.
        """
        assert self.process is not None and self.control is not None  # `start` has made both
        clock = Clock(replace(self.limits, notebook_s=START_S), 0.0)
        while not (reason := clock.expired()):
            if select.select([self.control], [], [], WATCH_S)[0]:
                if self.read_control(time.monotonic() + END_S) == b"ready":
                    return
                break
            family = descendants(self.process.pid)
            clock.add(sum(one.cpu_s for one in family), family)
        kill_family(self.process)
        words = last_words(self.process)
        wall = time.monotonic() - clock.started
        self.close()
        if not reason:
            raise SandboxError(f"the sandbox did not start:\n{words}")
        raise SandboxError(
            f"the sandbox did not start: after {wall:.0f} s, of which it has computed {clock.cpu_s:.0f} s, it was not "
            f"ready. Probably {NOT_READY[reason]}."
        )

    def close(self) -> None:
        """End the template and everything in it."""
        if self.control is not None:
            self.control.close()
            self.control = None
        if self.process is not None:
            kill_family(self.process)
            self.process.wait()
            if self.process.stderr is not None:
                self.process.stderr.close()
            self.process = None
        if self.group is not None:
            self.group.remove()
            self.group = None
        if self.scratch is not None:
            self.scratch.cleanup()
            self.scratch = None

    def read_control(self, deadline: float) -> bytes | None:
        """Return one line from the template; None when it is dead or late."""
        assert self.control is not None, "the template was not started"
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

    def run(self, cells: Sequence[dict], challenge_keys: Mapping[str, str]) -> Pass:
        """Execute cells in a fresh child of the template.

        Args:
            cells: `{"index": place in the notebook, "source": code}` each.
            challenge_keys: exercise -> the key of its challenge, in hexadecimal.

        Raises:
            SandboxError: the template could not be started, or broke before the submission ran.
        """
        if self.process is None or self.process.poll() is not None:
            self.close()
            self.start()
        started = time.monotonic()
        ours, theirs = socket.socketpair()
        collector = PassCollector({cell["index"] for cell in cells}, set(challenge_keys))
        try:
            assert self.control is not None  # start has set it
            socket.send_fds(self.control, [b"run\n"], [theirs.fileno()])
            theirs.close()
            ours.settimeout(SEND_S)
            body = self.request(cells, challenge_keys)
            ours.sendall(f"{len(body)}\n".encode() + body)
            self.supervise(ours, collector)
        except OSError as error:
            collector.ended_by = collector.ended_by or "death"
            if collector.last_cell is None:
                self.close()
                raise SandboxError(f"the sandbox broke before the submission ran: {error}") from error
        finally:
            ours.close()
            theirs.close()
            self.end_run(collector)
        if collector.last_cell is None and not collector.finished:
            self.close()
            raise SandboxError(f"the sandbox broke before the submission ran ({collector.ended_by})")
        return collector.freeze(time.monotonic() - started)

    def request(self, cells: Sequence[dict], challenge_keys: Mapping[str, str]) -> bytes:
        """Return what the child reads: the cells, the challenges' keys, and the limits that it sets itself."""
        limits = {name: value for name, value in asdict(self.limits).items() if isinstance(value, int)}
        return json.dumps({"cells": list(cells), "challenge_keys": dict(challenge_keys), "limits": limits}).encode()

    def supervise(self, channel: socket.socket, collector: PassCollector) -> None:
        """Collect frames until the notebook's end, or until a clock or a limit ends it."""
        assert self.control is not None and self.process is not None  # `run` has started the template
        most = 2 * len(collector.cells)
        watch = Watch(self.process.pid, self.limits, self.group, self.protected)
        frames = Frames(channel, self.control, self.limits, most, watch)
        while not collector.finished:
            frame = frames.next()
            if isinstance(frame, str):
                collector.ended_by = "memory" if frame == "death" and watch.memory_was_short() else frame
                break
            if frame[0].get("kind") == "cell" and (why := watch.count_after_cell()):
                collector.ended_by = why
                break
            if collector.add(*frame):
                watch.clock.begin_cell()
        collector.used_s = watch.clock.used_s

    def end_run(self, collector: PassCollector) -> None:
        """Have the template kill all processes of the run.

        A template that does not answer, or was changed, is replaced.
        """
        if self.control is None:
            return
        try:
            self.control.sendall(b"end\n")
            answer = self.read_control(time.monotonic() + END_S)
            while answer == b"dead":
                answer = self.read_control(time.monotonic() + END_S)
            usage = json.loads(answer or b"")
            collector.cpu_s, collector.memory_kb = float(usage["cpu_s"]), float(usage["memory_kb"])
            if usage["changed"]:
                logging.getLogger(__name__).warning(CHANGED, ", ".join(map(str, usage["changed"])))
                self.close()
        except (OSError, TypeError, ValueError, KeyError):
            self.close()


def kill_family(process: subprocess.Popen) -> None:
    """Kill a template with all its processes.

    bubblewrap's child ends with bubblewrap only when it has asked the kernel for that, which is not its first step.
    """
    family = descendants(process.pid)
    process.kill()
    for one in family:
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)


def last_words(process: subprocess.Popen) -> str:
    """Return the end of what a killed template has printed. A process that keeps the pipe open is not waited for."""
    assert process.stderr is not None  # it is a pipe
    descriptor, read, deadline = process.stderr.fileno(), b"", time.monotonic() + LAST_WORDS_S
    while (left := deadline - time.monotonic()) > 0 and select.select([descriptor], [], [], left)[0]:
        piece = os.read(descriptor, 65536)
        if not piece:
            break
        read = (read + piece)[-2000:]
    return read.decode(errors="replace")
