"""The clocks of a run. They count what the submission uses, so a grade does not depend on how busy the machine is.

Three things pass while a cell runs: the processor time that it uses; the time that it waits for something of its own,
such as `sleep` or a lock; and the time that it waits for a processor, because the machine has other work. The first two
are the submission's and have limits. The third is the machine's: a run that it makes too long is run again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from autograder.running.limits import Limits
from autograder.running.processes import ProcessUse, thread_states

LONGEST_STEP_S = 1.0  # of idle time that one look adds: between two looks this process itself may have been delayed


class Clock:
    """Counts processor time, idle time and wall time of a pass, and of the cell that runs.

    Args:
        limits: what the pass may use.
        cpu_s: processor seconds that were counted before the pass began.
    """

    def __init__(self, limits: Limits, cpu_s: float):
        self.limits = limits
        self.counted = cpu_s
        self.waited: dict[int, float] = {}  # thread -> seconds that it has waited for a processor
        self.cpu_s = self.idle_s = 0.0
        self.started = self.looked = time.monotonic()
        self.cell_start: tuple[float, float, float] | None = None

    @property
    def used_s(self) -> float:
        """Seconds that the submission has used of the machine: computing, or waiting for something of its own."""
        return self.cpu_s + self.idle_s

    def begin_cell(self) -> None:
        """Begin to count for a new cell."""
        self.cell_start = (self.cpu_s, self.idle_s, time.monotonic())

    def add(self, cpu_s: float, processes: Sequence[ProcessUse]) -> None:
        """Add what has passed since the last look.

        Args:
            cpu_s: processor seconds that were counted up to now.
            processes: those of the run that live.
        """
        now = time.monotonic()
        passed, self.looked = min(now - self.looked, LONGEST_STEP_S), now
        computed, self.counted = max(0.0, cpu_s - self.counted), cpu_s
        self.cpu_s += computed
        threads = [thread for one in processes for thread in thread_states(one)]
        delayed = sum(max(0.0, waited - self.waited.get(number, 0.0)) for number, _, waited in threads)
        self.waited = {number: waited for number, _, waited in threads}
        if not any(runs for _, runs, _ in threads):
            self.idle_s += max(0.0, passed - computed - delayed)

    def expired(self) -> str:
        """Return why the pass must end: "timeout", "idle", "busy" (the machine's fault), or ""."""
        now = time.monotonic()
        passed = [(self.cpu_s, self.idle_s, now - self.started, self.limits.notebook_s)]
        if self.cell_start is not None:
            cpu, idle, start = self.cell_start
            passed.append((self.cpu_s - cpu, self.idle_s - idle, now - start, self.limits.cell_s))
        for cpu, idle, wall, limit in passed:
            if cpu > limit:
                return "timeout"
            if idle > limit:
                return "idle"
            if wall > limit * self.limits.busy_factor:
                return "busy"
        return ""
