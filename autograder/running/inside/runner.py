"""The program inside the sandbox: a warm template that forks one child for each notebook.

The template imports torch once and waits on a control socket (its stdin). For each run the host sends one end of a
channel. A forked child reads the request from this channel, executes the cells with IPython's own shell, and writes
frames back: the outputs of each cell and the evidence, as they come. Nothing else leaves the sandbox, and no file of
the host is writable in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import pkgutil
import resource
import select
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from .colab import offer_colab
from .databases import lock_databases_by_folders
from .shell import BACKEND, get_shell, make_shell, to_json
from .state import changes, take_state

SCRATCH = Path(os.environ.get("LAB_SCRATCH", "/tmp"))
PRELOAD = (
    "torch",
    "numpy.random",
    "numpy.ctypeslib",  # safetensors imports it when it writes
    "torch.utils._device",
    "matplotlib.pyplot",
    "safetensors.torch",
    "tqdm.auto",
    "nbformat",
)
OF_A_CLASS = ("torch._dynamo",)  # an optimiser's first step imports it, which takes a second; --single leaves it out
# jsonschema compiles a grammar for addresses that no notebook has: two seconds. See `autograder/__init__.py`.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
PR_SET_DUMPABLE = 4  # of prctl


# --- the channel: a header line in JSON, then its payloads


class Channel:
    """Frames over a stream socket. The host trusts none of their bytes."""

    def __init__(self, connection: socket.socket):
        self.connection = connection

    def send(self, kind: str, *payloads: bytes, **header) -> None:
        """Send one frame: a kind, further header entries, and its payloads."""
        head = {"kind": kind, "sizes": [len(p) for p in payloads], **header}
        self.connection.sendall(json.dumps(head).encode() + b"\n" + b"".join(payloads))

    def receive_request(self) -> dict:
        """Return the host's request: the cells, the challenges' keys and the limits."""
        with self.connection.makefile("rb") as stream:
            size = int(stream.readline())
            return json.loads(stream.read(size))


# --- the template


def serve(control: socket.socket) -> None:
    """Fork a child for each request; when the host ends the run, kill what is left and wipe the scratch folder.

    The host learns what the run has changed of the template, and replaces a template that is not as it was.
    """
    set_dumpable(False)  # a child with the same uid cannot read or trace the template
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wipe_scratch()
    clean = take_state() if os.getpid() == 1 else {}  # without a sandbox, these are also the host's
    control.sendall(b"ready\n")
    child: int | None = None
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            kill_processes(child)
            return
        if message.startswith(b"run"):
            child = os.fork()
            if child == 0:
                run_child(control, descriptors[0])
            os.close(descriptors[0])
            report_death(control, child)
        elif message.startswith(b"end"):
            usage = kill_processes(child)
            child = None
            wipe_scratch()
            usage["changed"] = changes(clean)
            control.sendall(json.dumps(usage).encode() + b"\n")


def report_death(control: socket.socket, child: int) -> None:
    """Tell the host when the child has died: its descendants may still hold the channel open."""
    handle = os.pidfd_open(child)
    try:
        sources: list[int | socket.socket] = [handle, control]
        ready, _, _ = select.select(sources, [], [])
        if handle in ready:
            control.sendall(b"dead\n")
    finally:
        os.close(handle)


def kill_processes(child: int | None) -> dict[str, Any]:
    """Kill and reap all processes that the child started, and return what they used.

    Inside a process namespace the template is process 1, and all other processes belong to the child.

    Returns:
        The child's exit status, and the CPU seconds and the peak memory (KB) of all of them.
    """
    if os.getpid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    elif child is not None:
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(child, signal.SIGKILL)
    status, cpu, memory = 0, 0.0, 0
    while True:
        try:
            pid, code, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        cpu += usage.ru_utime + usage.ru_stime
        memory = max(memory, usage.ru_maxrss)
        if pid == child:
            status = code
    return {"status": os.waitstatus_to_exitcode(status), "cpu_s": cpu, "memory_kb": memory}


def wipe_scratch() -> None:
    """Remove all files of the last student and make a new work folder.

    A template that cannot remove them ends itself: the host starts another one, with file systems of its own.
    """
    places = (SCRATCH, Path("/dev/shm")) if os.getpid() == 1 else (SCRATCH,)
    try:
        for place in places:
            place.chmod(0o700)
            for entry in place.iterdir():
                if os.path.ismount(entry):
                    continue  # leads to a Python environment below /tmp; read-only
                if entry.is_dir() and not entry.is_symlink():
                    restore_permissions(entry)
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        (SCRATCH / "work").mkdir()
        for place in places:
            os.utime(place, (0, 0))  # a student may set any time, and the next one reads it
    except (OSError, RecursionError):
        os._exit(1)


def restore_permissions(folder: Path) -> None:
    """Make a folder and all folders below it writable, so that they can be removed."""
    folder.chmod(0o700)
    for top, folders, _ in os.walk(folder):
        for name in folders:
            if not os.path.islink(os.path.join(top, name)):
                os.chmod(os.path.join(top, name), 0o700)


def set_dumpable(on: bool) -> None:
    """Allow or forbid other processes of the same user to read this one's memory and its files in /proc."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, int(on), 0, 0, 0)


def preload() -> None:
    """Import what the labs need, so that no child spends time on it. Nothing here may start a thread."""
    os.environ["MPLBACKEND"] = BACKEND
    for name in PRELOAD if "--single" in sys.argv else (*PRELOAD, *OF_A_CLASS):
        importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    import utils
    from utils.checks.exercise import load
    from utils.labs import LABS

    for lab in LABS:
        with contextlib.suppress(ImportError):
            load(lab)
    for module in pkgutil.walk_packages(utils.__path__, "utils.", onerror=lambda name: None):
        if not module.name.startswith("utils.checks.") and not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    make_shell()


# --- the child


def run_child(control: socket.socket, descriptor: int) -> None:
    """Execute one request; never return."""
    code = 1
    try:
        control.close()
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)  # stdin was the control socket
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        prefer_as_oom_victim()
        channel = Channel(socket.socket(fileno=descriptor))
        request = channel.receive_request()
        set_rlimits(request["limits"])
        enter_work_folder()
        redirect_output()
        run_cells(request, channel)
        code = 0
    finally:
        os._exit(code)


def prefer_as_oom_victim() -> None:
    """Make this process the first choice of the kernel's OOM killer, before all processes of the host."""
    set_dumpable(True)  # otherwise its own files in /proc are closed to it
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def set_rlimits(limits: dict[str, int]) -> None:
    """Set the resource limits of this child and its descendants. Memory counts on top of what the template mapped."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for name, value in {
        resource.RLIMIT_AS: mapped + limits["memory_bytes"],
        resource.RLIMIT_CPU: limits["cpu_s"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_NPROC: limits["tasks"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_SIGPENDING: limits["timers"],
    }.items():
        if value >= 0:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(name, (value, value))


def enter_work_folder() -> None:
    """Change to the work folder, and let cells import the modules that they write there."""
    os.chdir(SCRATCH / "work")
    sys.path.append(os.getcwd())  # last, so that a student's numpy.py shadows nothing


def redirect_output() -> None:
    """Send file descriptors 1 and 2 to /dev/null: what libraries print below Python is not part of a notebook."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def run_cells(request: dict, channel: Channel) -> None:
    """Run the cells in order. Send the outputs of each cell when it ends, and evidence at once."""
    import torch

    torch.set_num_threads(1)
    offer_colab()
    grader = make_grader(request["challenge_keys"], channel)
    shell = get_shell(request["limits"]["output_bytes"])
    for cell in request["cells"]:
        channel.send("start", index=cell["index"])
        connect_grader(grader)
        keep_to_this_machine()
        shell.begin()
        result = shell.run_cell(cell["source"], store_history=True)
        outputs = to_json({"outputs": shell.cell.outputs, "execution_count": result.execution_count}).encode()
        channel.send("cell", outputs, index=cell["index"], ok=bool(result.success))
    channel.send("done")


def make_grader(challenge_keys: dict[str, str], channel: Channel) -> tuple:
    """Return the two functions that `utils.checks.graded` needs.

    Args:
        challenge_keys: exercise -> the key of its challenge, in hexadecimal.
        channel: where evidence is sent.

    Returns:
        A function from an exercise's name to its challenge, and a function that takes evidence.
    """
    from utils.checks.challenge import Challenge

    keys = {name: bytes.fromhex(key) for name, key in challenge_keys.items()}

    def challenge_of(name: str) -> Challenge:
        return Challenge(name, keys[name])

    def send_evidence(evidence) -> None:
        channel.send("evidence", evidence.to_json(), evidence.to_safetensors(), name=evidence.exercise)

    return challenge_of, send_evidence


def connect_grader(grader: tuple) -> None:
    """Give `utils.checks` its grader; before each cell, because a notebook may have reloaded the module."""
    with contextlib.suppress(Exception):
        vars(importlib.import_module("utils.checks"))["_grader"] = grader


def keep_to_this_machine() -> None:
    """Undo `torch.set_default_device("cuda")` of an earlier cell: every later tensor would fail without a GPU."""
    import torch

    try:
        torch.empty(0)
    except Exception:
        torch.set_default_device(None)


if __name__ == "__main__":
    preload()
    lock_databases_by_folders()
    serve(socket.socket(fileno=os.dup(0)))
