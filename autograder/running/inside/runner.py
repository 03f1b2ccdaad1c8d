"""What runs inside the sandbox: a warm template that forks one child for each notebook.

The template imports torch once and waits on a control socket (its stdin). For each run the host sends one end of a
channel; a forked child reads the request from it, executes the cells with IPython's own shell, and writes frames back:
cell outputs and evidence, as they come. Nothing else leaves the sandbox, and no file of the host is writable in it.

This file and `utils` are all of the course that exists inside. It imports nothing of `autograder`.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
from pathlib import Path

SCRATCH = Path(os.environ.get("LAB_SCRATCH", "/tmp"))
PRELOAD = (
    "torch",
    "numpy",
    "matplotlib.pyplot",
    "IPython.core.interactiveshell",
    "safetensors.torch",
    "tqdm.auto",
    "sklearn.datasets",  # the offline digits: 1.5 CPU seconds, once instead of for every notebook
    "sklearn.model_selection",
)
PRELOAD_UTILS = (
    "runtime",
    "training",
    "distributions",
    "paths",
    "dynamics",
    "nets",
    "data",
    "metrics",
    "plotting",
    "stored",
    "submission",  # nbformat and its schemas: 1.5 CPU seconds
    "checks",
)
PR_SET_DUMPABLE = 4


# --- the channel: a header line in JSON, then its payloads


class Channel:
    """Frames over a stream socket. The host does not trust a byte of it."""

    def __init__(self, connection: socket.socket):
        self.connection = connection

    def send(self, kind: str, *payloads: bytes, **header) -> None:
        head = {"kind": kind, "sizes": [len(p) for p in payloads], **header}
        self.connection.sendall(json.dumps(head).encode() + b"\n" + b"".join(payloads))

    def receive_request(self) -> dict:
        with self.connection.makefile("rb") as stream:
            size = int(stream.readline())
            return json.loads(stream.read(size))


# --- the template


def serve(control: socket.socket) -> None:
    """Fork a child for each request; after it, end whatever is left and wipe the scratch."""
    set_dumpable(False)  # a child with the same uid cannot read or trace the template
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control.sendall(b"ready\n")
    child: int | None = None
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            end_everything(child)
            return
        if message.startswith(b"run"):
            wipe_scratch()
            child = os.fork()
            if child == 0:
                run_child(control, descriptors[0])
            os.close(descriptors[0])
            watch_child(control, child)
        elif message.startswith(b"end"):
            usage = end_everything(child)
            child = None
            wipe_scratch()
            control.sendall(json.dumps(usage).encode() + b"\n")


def watch_child(control: socket.socket, child: int) -> None:
    """Tell the host when the child has died; its descendants may still hold the channel open."""
    handle = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([handle, control], [], [])
        if handle in ready:
            control.sendall(b"dead\n")
    finally:
        os.close(handle)


def end_everything(child: int | None) -> dict[str, float]:
    """Kill all that the child started, and reap it. Inside a pid namespace the template is process 1: all but it."""
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
    """Leave nothing of one student's for the next. The work folder is made anew.

    A template that cannot wipe ends itself: the host starts another, with file systems of its own.
    """
    places = (SCRATCH, Path("/dev/shm")) if os.getpid() == 1 else (SCRATCH,)
    try:
        for place in places:
            place.chmod(0o700)
            for entry in place.iterdir():
                if os.path.ismount(entry):
                    continue  # on the way to an environment that lies in /tmp; read-only
                if entry.is_dir() and not entry.is_symlink():
                    open_up(entry)
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        (SCRATCH / "work").mkdir()
    except (OSError, RecursionError):
        os._exit(1)


def open_up(folder: Path) -> None:
    """Folders whose rights were taken away, and all below."""
    folder.chmod(0o700)
    for top, folders, _ in os.walk(folder):
        for name in folders:
            if not os.path.islink(os.path.join(top, name)):
                os.chmod(os.path.join(top, name), 0o700)


def set_dumpable(on: bool) -> None:
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, int(on), 0, 0, 0)


def preload() -> None:
    """Import what every lab needs, and nothing that starts threads."""
    import importlib

    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    for name in PRELOAD:
        importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    torch.zeros(2, device="meta") + torch.ones(2, device="meta")  # its registrations take seconds, once
    for name in PRELOAD_UTILS:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(f"utils.{name}")
    from utils.checks.exercise import LABS, load

    for lab in LABS:
        load(lab)


# --- the child


def run_child(control: socket.socket, descriptor: int) -> None:
    """Execute one request; never returns."""
    code = 1
    try:
        control.close()
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)  # stdin was the control socket
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        die_first()
        channel = Channel(socket.socket(fileno=descriptor))
        request = channel.receive_request()
        limit(request["limits"])
        enter_work_folder()
        silence()
        execute(request, channel)
        code = 0
    finally:
        os._exit(code)


def die_first() -> None:
    """When the machine runs out of memory, the kernel is to take this process and none of the host's."""
    set_dumpable(True)  # or its own files in /proc are closed to it
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def limit(limits: dict[str, int]) -> None:
    """Resource limits of this child and all that it starts. Memory counts on top of what the template maps."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for name, value in {
        resource.RLIMIT_AS: mapped + limits["memory_bytes"],
        resource.RLIMIT_CPU: limits["cpu_s"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_NPROC: limits["tasks"],
        resource.RLIMIT_CORE: 0,
    }.items():
        if value >= 0:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(name, (value, value))


def enter_work_folder() -> None:
    os.chdir(SCRATCH / "work")
    sys.path.append(os.getcwd())  # last: what a cell writes there can be imported, a numpy.py shadows nothing


def silence() -> None:
    """Below Python nothing is printed: libraries that write to file descriptors 1 and 2 are not part of a notebook."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def execute(request: dict, channel: Channel) -> None:
    """Run the cells in order, and send each one's outputs; evidence is sent the moment that it exists."""
    import importlib

    import torch

    from utils.checks.challenge import Challenge

    torch.set_num_threads(1)
    keys = {name: bytes.fromhex(key) for name, key in request["challenges"].items()}

    def challenge_of(name: str) -> Challenge:
        return Challenge(name, keys[name])

    def hand_over(evidence) -> None:
        channel.send("evidence", evidence.to_json(), evidence.to_safetensors(), name=evidence.exercise)

    def arm() -> None:
        """Before each cell: a notebook that reloads `utils`, or throws it out of `sys.modules`, has another one."""
        with contextlib.suppress(Exception):
            vars(importlib.import_module("utils.checks"))["_grader"] = (challenge_of, hand_over)

    shell = make_shell(request["limits"]["output_bytes"])
    for cell in request["cells"]:
        channel.send("start", index=cell["index"])
        arm()
        shell.begin()
        result = shell.run_cell(cell["source"], store_history=True)
        outputs = as_json({"outputs": shell.outputs, "execution_count": result.execution_count}).encode()
        channel.send("cell", outputs, index=cell["index"], ok=bool(result.success))
    channel.send("done")


def as_json(outputs: object) -> str:
    """Outputs may hold whatever an object says of itself: pictures come as bytes, and one odd entry must not end the run."""
    return json.dumps(outputs, default=as_text, skipkeys=True)


def as_text(value: object) -> str:
    """Bytes as Jupyter writes them, in base64; anything else that JSON does not know as Python prints it."""
    return base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else str(value)


def make_shell(output_limit: int):
    """IPython's shell without a kernel: outputs are collected in nbformat's shape, bounded in bytes."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    class Publisher(DisplayPublisher):
        def publish(self, data, metadata=None, *, transient=None, update=False, **_):
            display_id = (transient or {}).get("display_id")
            if update:
                self.shell.update(display_id, data, metadata or {})
                return
            output = {"output_type": "display_data", "data": data, "metadata": metadata or {}}
            if display_id:
                output["transient"] = {"display_id": display_id}
            self.shell.add(output)

        def clear_output(self, wait=False):
            self.shell.clear(wait)

    class Hook(DisplayHook):
        def write_output_prompt(self):
            pass

        def write_format_data(self, format_dict, md_dict=None):
            self.shell.add(
                {
                    "output_type": "execute_result",
                    "data": format_dict,
                    "metadata": md_dict or {},
                    "execution_count": self.prompt_count,
                }
            )

        def finish_displayhook(self):
            pass  # IPython's own writes a line end, for terminals

    class Stream:
        encoding, errors, closed = "utf-8", "replace", False

        def __init__(self, shell, name):
            self.shell, self.name = shell, name

        def write(self, text):
            text = text if isinstance(text, str) else str(text)
            self.shell.add_text(self.name, text)
            return len(text)

        def writelines(self, lines):
            for line in lines:
                self.write(line)

        def flush(self):
            pass

        def isatty(self):
            return False

        def writable(self):
            return True

        def fileno(self):
            return {"stdout": 1, "stderr": 2}[self.name]

    class Shell(InteractiveShell):
        display_pub_class = Publisher
        displayhook_class = Hook

        def begin(self):
            self.outputs, self.room, self.clear_next = [], output_limit, False
            sys.stdout, sys.stderr = Stream(self, "stdout"), Stream(self, "stderr")

        def clear(self, wait):
            if wait:
                self.clear_next = True
            else:
                self.outputs.clear()

        def update(self, display_id, data, metadata):
            size = len(as_json(data))
            shown = [o for o in self.outputs if o.get("transient", {}).get("display_id") == display_id]
            if size * len(shown) <= self.room:
                self.room -= size * len(shown)
                for output in shown:
                    output.update(data=data, metadata=metadata)

        def add(self, output):
            if self.clear_next:
                self.outputs.clear()
                self.clear_next = False
            size = len(as_json(output)) + 100
            if size > self.room:
                output = {
                    "output_type": "stream",
                    "name": "stderr",
                    "text": f"[an output of {size} bytes was left out]\n",
                }
            self.room -= min(size, self.room)
            self.outputs.append(output)

        def add_text(self, name, text):
            if self.clear_next:
                self.outputs.clear()
                self.clear_next = False
            if self.room <= 0 or not text:
                return
            if len(text) > self.room:
                text = text[: self.room] + "\n[the rest of this output was left out]\n"
                self.room = 0
            self.room -= min(len(text), self.room)
            if self.outputs and self.outputs[-1].get("name") == name:
                self.outputs[-1]["text"] += text
            else:
                self.outputs.append({"output_type": "stream", "name": name, "text": text})

        def _showtraceback(self, etype, evalue, stb):
            self.add(
                {
                    "output_type": "error",
                    "ename": getattr(etype, "__name__", "Error"),
                    "evalue": str(evalue),
                    "traceback": list(stb),
                }
            )

        def init_history(self):
            from traitlets.config import Config

            self.config = Config(self.config, HistoryManager={"enabled": False})
            super().init_history()

        def raw_input(self, prompt=""):
            raise RuntimeError("input() is not available while grading")

    shell = Shell.instance()
    shell.begin()
    shell.user_ns["input"] = shell.raw_input
    import matplotlib.pyplot as plt
    from matplotlib_inline.backend_inline import configure_inline_support

    plt.switch_backend("module://matplotlib_inline.backend_inline")
    configure_inline_support(shell, "module://matplotlib_inline.backend_inline")
    return shell


if __name__ == "__main__":
    preload()
    serve(socket.socket(fileno=os.dup(0)))
