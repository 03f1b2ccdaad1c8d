"""IPython's shell without a Jupyter kernel: it collects each cell's outputs in nbformat's shape, bounded in bytes."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

BACKEND = "module://matplotlib_inline.backend_inline"
OUTPUT_OVERHEAD = 100  # bytes of JSON around an output


def to_json(outputs: object) -> str:
    """Write outputs as JSON. An object may display anything; an entry that JSON does not know must not end the run."""
    return json.dumps(outputs, default=to_text, skipkeys=True)


def to_text(value: object) -> str:
    """Return bytes in base64, as Jupyter writes them, and everything else as Python prints it."""
    return base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else str(value)


class CellOutputs:
    """The outputs of one cell, in nbformat's shape.

    Args:
        limit: bytes of output that are kept; the rest is dropped with a note.
    """

    def __init__(self, limit: int):
        self.outputs: list[dict[str, Any]] = []
        self.bytes_left = limit
        self.clear_before_next = False

    def clear(self, wait: bool) -> None:
        """Remove all outputs: now, or (`wait`) as soon as the next one comes."""
        if wait:
            self.clear_before_next = True
        else:
            self.outputs.clear()

    def add(self, output: dict[str, Any]) -> None:
        """Append an output, or a note in its place if it is too large."""
        self._clear_if_due()
        size = len(to_json(output)) + OUTPUT_OVERHEAD
        if size > self.bytes_left:
            text = f"[an output of {size} bytes was left out]\n"
            output = {"output_type": "stream", "name": "stderr", "text": text}
        self.bytes_left -= min(size, self.bytes_left)
        self.outputs.append(output)

    def add_text(self, name: str, text: str) -> None:
        """Append text to the stream `stdout` or `stderr`, cut at the limit."""
        self._clear_if_due()
        if self.bytes_left <= 0 or not text:
            return
        if len(text) > self.bytes_left:
            text = text[: self.bytes_left] + "\n[the rest of this output was left out]\n"
            self.bytes_left = 0
        self.bytes_left -= min(len(text), self.bytes_left)
        if self.outputs and self.outputs[-1].get("name") == name:
            self.outputs[-1]["text"] += text
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": text})

    def update(self, display_id: str | None, data: dict, metadata: dict) -> None:
        """Replace the content of all outputs that were displayed under this id."""
        shown = [o for o in self.outputs if o.get("transient", {}).get("display_id") == display_id]
        size = len(to_json(data)) * len(shown)
        if size <= self.bytes_left:
            self.bytes_left -= size
            for output in shown:
                output.update(data=data, metadata=metadata)

    def _clear_if_due(self) -> None:
        if self.clear_before_next:
            self.outputs.clear()
            self.clear_before_next = False


class Publisher(DisplayPublisher):
    """Receives `display(…)`, `update_display(…)` and `clear_output()`."""

    def publish(self, data, metadata=None, *, transient=None, update=False, **_):
        """Collect one displayed object."""
        display_id = (transient or {}).get("display_id")
        if update:
            self.shell.cell.update(display_id, data, metadata or {})
            return
        output = {"output_type": "display_data", "data": data, "metadata": metadata or {}}
        if display_id:
            output["transient"] = {"display_id": display_id}
        self.shell.cell.add(output)

    def clear_output(self, wait=False):
        """Remove what the cell has displayed so far."""
        self.shell.cell.clear(wait)


class ResultHook(DisplayHook):
    """Receives the value of a cell's last expression."""

    def write_output_prompt(self):
        """Print no prompt: a notebook shows the number beside the cell."""

    def write_format_data(self, format_dict, md_dict=None):
        """Collect the value in all its representations."""
        self.shell.cell.add(  # type: ignore[union-attr]  # IPython sets the shell when it makes the hook
            {
                "output_type": "execute_result",
                "data": format_dict,
                "metadata": md_dict or {},
                "execution_count": self.prompt_count,
            }
        )

    def finish_displayhook(self):
        """Print nothing: IPython's own version writes a line end, for terminals."""


class Stream:
    """Replaces `sys.stdout` or `sys.stderr` while a cell runs."""

    encoding, errors, closed = "utf-8", "replace", False

    def __init__(self, shell: Shell, name: str):
        self.shell, self.name = shell, name

    def write(self, text) -> int:
        """Collect text; anything else as Python prints it."""
        text = text if isinstance(text, str) else str(text)
        self.shell.cell.add_text(self.name, text)
        return len(text)

    def writelines(self, lines) -> None:
        """Collect several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: each text is collected at once."""

    def isatty(self) -> bool:
        """Return False: programs then write no terminal codes."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the number of the real stream, which leads nowhere while a notebook runs."""
        return {"stdout": 1, "stderr": 2}[self.name]


class Shell(InteractiveShell):
    """The shell that executes cells. `begin` before each cell; its outputs are in `cell.outputs` afterwards."""

    display_pub_class = Publisher
    displayhook_class = ResultHook
    output_limit = 2**20
    cell = CellOutputs(0)

    def begin(self) -> None:
        """Start a cell without outputs."""
        self.cell = CellOutputs(self.output_limit)
        sys.stdout, sys.stderr = Stream(self, "stdout"), Stream(self, "stderr")

    def _showtraceback(self, etype, evalue, stb):
        self.cell.add(
            {
                "output_type": "error",
                "ename": getattr(etype, "__name__", "Error"),
                "evalue": str(evalue),
                "traceback": list(stb),
            }
        )

    def init_history(self):
        """Keep no history file."""
        from traitlets.config import Config

        self.config = Config(self.config, HistoryManager={"enabled": False})
        super().init_history()

    def raw_input(self, prompt=""):
        """Raise an error, because there is no person at the keyboard."""
        raise RuntimeError("input() is not available while grading")


def make_shell() -> Shell:
    """Make the shell of this process, with figures drawn into the outputs. A forked process has it, too."""
    shell = Shell.instance()
    shell.user_ns["input"] = shell.raw_input
    import matplotlib.pyplot as plt
    from matplotlib_inline.backend_inline import configure_inline_support  # turns figures on if there is a shell

    plt.switch_backend(BACKEND)
    configure_inline_support(shell, BACKEND)
    return shell


def get_shell(output_limit: int) -> Shell:
    """Return the shell of this process.

    Args:
        output_limit: bytes of output that are kept of each cell.
    """
    shell = Shell.instance()
    shell.output_limit = output_limit
    return shell
