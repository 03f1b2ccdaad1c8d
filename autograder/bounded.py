"""Run host code on a student's data in a child process, with limits on its time and memory.

Reading, repairing and rendering are our own code, but a student chooses the data, and a library may take quadratic time
or much memory on some of it. The child ends at its limit, the caller learns why, and the next student gets a new child.
One child serves many students, so the cost of starting it is paid once.

Requests and replies are lines of JSON. Nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from autograder import ROOT

MIB = 2**20
BUSY = 50  # how much longer than its CPU time a request may take; after this the machine is at fault
LEAST_WALL_S = 300.0
MAX_REPLY = 512 * MIB
WORDS = {
    "time": "it needs more than {cpu_s:g} s of computing time",
    "memory": "it needs more than {megabytes:,} MB of memory",
    "busy": "the machine was too busy to finish it; run the command again",
    "died": "the process that worked on it died",
}


@dataclass(frozen=True)
class Bounds:
    """What one request may use."""

    cpu_s: float = 30.0
    memory_bytes: int = 1536 * MIB  # on top of what the child has at the start of the request


class OutOfBounds(Exception):
    """Raised when a request reached a limit. `kind` is one of `WORDS`; the message is a clause for a person."""

    def __init__(self, kind: str, bounds: Bounds):
        self.kind = kind
        super().__init__(WORDS[kind].format(cpu_s=bounds.cpu_s, megabytes=bounds.memory_bytes // MIB))


class FailedInside(Exception):
    """Raised when the function raised; the message has the type and the words of its exception."""


class Bounded:
    """A function that runs in a child process; the child starts at the first call and is replaced when it dies.

    Args:
        function: Takes keyword arguments and returns a value, all of them JSON.
        bounds: What each call may use.
        fork: Fork the child from this process, which costs next to nothing. Otherwise a new interpreter imports the
            function, which is right for a process with threads.
    """

    def __init__(self, function: Callable[..., Any], bounds: Bounds | None = None, fork: bool = True):
        self.function, self.bounds, self.fork = function, bounds or Bounds(), fork
        self.spent_s = 0.0  # computing time of the last call
        self.process: ForkedChild | subprocess.Popen | None = None
        self.requests: IO[bytes] | None = None
        self.replies: IO[bytes] | None = None

    def __enter__(self) -> Bounded:
        """Return this object; leaving the block ends the child."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the child."""
        self.close()

    def __call__(self, **request: Any) -> Any:
        """Call the function in the child.

        Raises:
            OutOfBounds: It reached a limit, or the child died.
            FailedInside: It raised an exception.
        """
        if self.process is None:
            self.start()
        assert self.requests is not None
        try:
            self.requests.write(json.dumps(request).encode() + b"\n")
            self.requests.flush()
            reply = self.read_reply()
        except BrokenPipeError:
            reply = None
        except BaseException:  # Ctrl-C, for example: the child may be in the middle of its work
            self.close()
            raise
        self.spent_s = self.bounds.cpu_s if reply is None else reply.get("cpu_s", self.bounds.cpu_s)
        if reply is None:
            raise OutOfBounds(self.cause_of_death(), self.bounds)
        if kind := reply.get("exceeded"):
            self.close()  # a process that ran out of memory may be left in any state
            raise OutOfBounds(kind, self.bounds)
        if "failed" in reply:
            raise FailedInside(reply["failed"])
        return reply["value"]

    def start(self) -> None:
        """Start the child."""
        if self.fork:
            self.process, self.requests, self.replies = fork_child(self.function, self.bounds)
            return
        name = f"{self.function.__module__}:{self.function.__qualname__}"
        words = [name, str(self.bounds.cpu_s), str(self.bounds.memory_bytes)]
        # Jupyter's server, for one, may have found this package in a folder that a new interpreter does not search.
        search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        started = subprocess.Popen(
            [sys.executable, "-P", "-m", "autograder.bounded", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": search},
        )
        self.process, self.requests, self.replies = started, started.stdin, started.stdout

    def read_reply(self) -> dict | None:
        """Return the child's reply; None if the child has died."""
        assert self.replies is not None
        descriptor, parts, size = self.replies.fileno(), [], 0
        deadline = time.monotonic() + max(BUSY * self.bounds.cpu_s, LEAST_WALL_S)
        while True:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return {"exceeded": "busy"}
            part = os.read(descriptor, MIB)
            size += len(part)
            if not part:
                return None
            if size > MAX_REPLY:
                return {"exceeded": "memory"}
            parts.append(part)
            if part.endswith(b"\n"):
                return json.loads(b"".join(parts))

    def cause_of_death(self) -> str:
        """Return why the child has died, and forget it."""
        assert self.process is not None
        code = self.process.wait()
        self.close()
        return "time" if code == -signal.SIGXCPU else "died"

    def close(self) -> None:
        """End the child, if there is one."""
        process, self.process = self.process, None
        if process is None:
            return
        for stream in (self.requests, self.replies):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.kill()
        process.wait()


class ForkedChild:
    """A forked process, with the two methods of `subprocess.Popen` that are used here."""

    def __init__(self, pid: int):
        self.pid = pid
        self.code: int | None = None

    def kill(self) -> None:
        """Kill the process unless it was waited for."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int | None:
        """Wait for the end, and return the exit code; that of a signal is negative."""
        if self.code is None:
            with contextlib.suppress(ChildProcessError):
                self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code


def fork_child(function: Callable[..., Any], bounds: Bounds) -> tuple[ForkedChild, IO[bytes], IO[bytes]]:
    """Fork a child that serves a function; return it with the pipes of its requests and replies."""
    child_in, requests = os.pipe()
    replies, child_out = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            close_all_but(child_in, child_out)  # locks, databases, and the pipes' other ends
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
            serve(function, bounds, os.fdopen(child_in, "rb"), os.fdopen(child_out, "wb"))
            code = 0
        finally:
            os._exit(code)
    os.close(child_in)
    os.close(child_out)
    return ForkedChild(pid), os.fdopen(requests, "wb"), os.fdopen(replies, "rb")


def close_all_but(*kept: int) -> None:
    """Close all files of this process but its three standard ones and these."""
    first = 3
    for descriptor in (*sorted(kept), os.sysconf("SC_OPEN_MAX")):
        os.closerange(first, descriptor)
        first = descriptor + 1


def serve(function: Callable[..., Any], bounds: Bounds, requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in requests:
        start = time.process_time()
        limit_request(bounds)
        try:
            value = function(**json.loads(line))
            reply = json.dumps({"value": value, "cpu_s": time.process_time() - start})
        except MemoryError:
            reply = json.dumps({"exceeded": "memory"})
        except RecursionError:
            reply = json.dumps(
                {"failed": "RecursionError: it is nested too deeply", "cpu_s": time.process_time() - start}
            )
        except Exception as error:
            words = f"{type(error).__name__}: {error}"[:500]
            reply = json.dumps({"failed": words, "cpu_s": time.process_time() - start})
        replies.write(reply.encode() + b"\n")
        replies.flush()


def limit_request(bounds: Bounds) -> None:
    """Limit what this process may use from now on. At the limit of its time the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    set_soft_limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + bounds.cpu_s) + 1)
    with open("/proc/self/statm", encoding="ascii") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    set_soft_limit(resource.RLIMIT_AS, mapped + bounds.memory_bytes)


def set_soft_limit(what: int, value: int) -> None:
    """Set a soft limit of this process; the hard one stays, so that a later request may raise it again."""
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def main() -> None:
    """Serve the function that the command line names, in a new interpreter."""
    name, cpu_s, memory_bytes = sys.argv[1:]
    module, _, function = name.partition(":")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand between replies
    bounds = Bounds(float(cpu_s), int(memory_bytes))
    serve(getattr(importlib.import_module(module), function), bounds, os.fdopen(0, "rb"), replies)


if __name__ == "__main__":
    main()
