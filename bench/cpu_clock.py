"""CPU seconds of a command and of everything that it starts: processes of a sandbox too, which nobody waits for."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup/cpuacct")


class CpuClock:
    """A control group that commands enter; where none can be made, the whole system's clock."""

    def __init__(self):
        self.group: Path | None = GROUPS / f"guidance-{os.getpid()}"
        try:
            self.group.mkdir()
        except OSError:
            self.group = None

    def read(self) -> float:
        """Return the CPU seconds used so far."""
        if self.group is not None:
            return int((self.group / "cpuacct.usage").read_text()) / 1e9
        user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
        return (user + nice + system) / os.sysconf("SC_CLK_TCK")

    def enter(self) -> None:
        """Called in a child before it becomes the command."""
        if self.group is not None:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def close(self) -> None:
        """Remove the control group."""
        if self.group is not None:
            with contextlib.suppress(OSError):
                self.group.rmdir()

    def time(
        self, command: list[str], folder: Path | None = None, environment: dict[str, str] | None = None
    ) -> tuple[float, float]:
        """Run a command and return its CPU and wall seconds.

        Raises:
            RuntimeError: it failed.
        """
        before, started = self.read(), time.monotonic()
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, preexec_fn=self.enter
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
        return self.read() - before, time.monotonic() - started
