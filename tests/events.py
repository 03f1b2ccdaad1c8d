"""Wait for something that another process does, for as long as that process lives."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

INTERVAL = 0.02  # seconds between two looks


def await_event(happened: Callable[[], object], process: subprocess.Popen, what: str, seconds: float = 200) -> bool:
    """Return as soon as something has happened, or the process has ended.

    Args:
        happened: looks whether it has happened.
        process: the process that makes it happen.
        what: named in the error.
        seconds: the most time to wait.

    Returns:
        Whether it has happened; False if the process ended first.

    Raises:
        AssertionError: it did not happen in time.
    """
    for _ in range(int(seconds / INTERVAL)):
        if happened():
            return True
        try:
            process.wait(INTERVAL)
            return bool(happened())
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"waited in vain: {what}")
