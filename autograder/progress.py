"""Progress bars: shown on a terminal only, and removed when the work is done."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, track

POLL_S = 0.5  # how often files are counted

T = TypeVar("T")


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """Return the items while a progress bar follows them; there is no bar if output goes to a file.

    Args:
        items: What is worked on, one at a time.
        what: The text beside the bar.
        total: The number of items; needed only if `items` has no length.
    """
    console = Console(stderr=True)
    if total is None:
        total = len(items) if isinstance(items, Sized) else 0
    return track(
        items, what, total=total, disable=not total or not console.is_terminal, console=console, transient=True
    )


@contextlib.contextmanager
def progress_by_files(what: str, folder: Path, pattern: str, total: int) -> Iterator[None]:
    """Show progress while another program writes one file for each student: files newer than the start are counted.

    Args:
        what: The text beside the bar.
        folder: Where the program writes.
        pattern: The glob pattern of its files.
        total: The number of files to come.
    """
    console, start, done = Console(stderr=True), time.time(), threading.Event()
    if not console.is_terminal:
        yield
        return

    def count() -> None:
        while not done.wait(POLL_S):
            with contextlib.suppress(OSError):  # a file that is being replaced
                bar.update(task, completed=sum(path.stat().st_mtime >= start for path in folder.glob(pattern)))

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        counter = threading.Thread(target=count, daemon=True)
        counter.start()
        try:
            yield
        finally:
            done.set()
            counter.join()
