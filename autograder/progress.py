"""Progress bars for people: on a terminal only, and gone when the work is done."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, track


def track_students(items, what: str, total: int | None = None):
    """A progress bar on the terminal, gone when it is done; where output goes to a file, there is none."""
    console = Console(stderr=True)
    total = len(items) if total is None else total
    return track(
        items, what, total=total, disable=not total or not console.is_terminal, console=console, transient=True
    )


@contextlib.contextmanager
def counting(what: str, folder: Path, pattern: str, total: int) -> Iterator[None]:
    """The same for a program that writes one file a student: the files that are newer than now are counted."""
    console, began, over = Console(stderr=True), time.time(), threading.Event()
    if not console.is_terminal:
        yield
        return

    def count() -> None:
        while not over.wait(0.5):
            with contextlib.suppress(OSError):  # a file that is being replaced
                bar.update(task, completed=sum(path.stat().st_mtime >= began for path in folder.glob(pattern)))

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        counter = threading.Thread(target=count, daemon=True)
        counter.start()
        try:
            yield
        finally:
            over.set()
            counter.join()
