"""What is dear to make and only read afterwards, made once for all processes of a run of the tests."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def made_once(factory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder of this run of the tests. The first process that asks for it makes it; others wait.

    Args:
        factory: pytest's `tmp_path_factory`.
        name: the folder's name.
        make: fills a folder. If it raises, the next process tries again.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            beside = folder.with_name(f"{name}.unfinished")
            shutil.rmtree(beside, ignore_errors=True)  # of a test that failed
            make(beside)
            beside.rename(folder)
    return folder
