"""Stored runs: content-addressed, written beside and renamed. A killed run loses only what was in flight.

A key names the code that ran and its challenges; the same submission is never run twice. With each run stand the
versions of the probes that ran: when a probe has changed since, the stored evidence is stale, and is named so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

from autograder.running.passes import Run, Task

HALF_WRITTEN_S = 3600
PUBLIC_FIELDS = ("submission_hash", "problems", "cpu_s", "wall_s", "memory_kb", "protected")


def task_key(task: Task) -> str:
    """The address of a task's run."""
    document = json.dumps([task.digest, sorted(task.keys.items())])
    return hashlib.sha256(document.encode()).hexdigest()


class Store:
    """A folder of runs, readable only by its owner.

    Args:
        versions: exercise -> version of its probe, as it is now.
    """

    def __init__(self, folder: Path, versions: dict[str, int]):
        self.folder = folder
        self.versions = versions
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.sweep()

    def sweep(self) -> None:
        """Remove what killed runs have left half written."""
        for left in self.folder.glob("*/.*"):
            with contextlib.suppress(FileNotFoundError):  # another grader has just renamed or removed it
                if time.time() - left.stat().st_mtime > HALF_WRITTEN_S:
                    shutil.rmtree(left, ignore_errors=True)

    def place(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def __contains__(self, key: str) -> bool:
        """There is a run of this key that can be read, and it is not stale. Else it has to be run again."""
        return self.holds(key, protected=False)

    def holds(self, key: str, protected: bool) -> bool:
        """The same; where runs are protected, none that was made without the sandbox counts."""
        try:
            run = self.load(key)
        except KeyError:
            return False
        return not self.stale(key) and (run.protected or not protected)

    def stale(self, key: str) -> dict[str, tuple[int, int]]:
        """Exercises whose probe has changed since this run: exercise -> its version then and now."""
        try:
            document = json.loads((self.place(key) / "versions.json").read_text(encoding="utf-8"))
            then = {name: int(document.get(name, 0)) for name in self.versions}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
        return {name: (then[name], now) for name, now in self.versions.items() if then[name] != now}

    def save(self, key: str, run: Run) -> None:
        """Write a run. Of two processes with the same run, one stays; a stale, damaged or unprotected run is replaced."""
        final = self.place(key)
        final.parent.mkdir(exist_ok=True)
        beside = final.with_name(f".{key}.{os.getpid()}")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(mode=0o700)
        counts = {}
        for name, copies in run.evidence.items():
            counts[name] = len(copies)
            for index, (text, tensors) in enumerate(copies[:2]):
                (beside / f"{len(counts)}.{index}.json").write_bytes(text)
                (beside / f"{len(counts)}.{index}.safetensors").write_bytes(tensors)
        document = {name: getattr(run, name) for name in PUBLIC_FIELDS}
        document |= {"evidence": counts, "outputs": {str(index): output for index, output in run.outputs.items()}}
        (beside / "versions.json").write_text(json.dumps(self.versions), encoding="utf-8")
        (beside / "run.json").write_text(json.dumps(document), encoding="utf-8")
        if not self.holds(key, run.protected):
            old = final.with_name(f".{key}.{os.getpid()}.old")
            with contextlib.suppress(FileNotFoundError):  # there is none, or another grader was faster
                os.rename(final, old)
            shutil.rmtree(old, ignore_errors=True)
        try:
            os.rename(beside, final)
        except OSError:
            shutil.rmtree(beside, ignore_errors=True)

    def load(self, key: str) -> Run:
        """The run of this key.

        Raises:
            KeyError: it is not there, or cannot be read.
        """
        place = self.place(key)
        try:
            document = json.loads((place / "run.json").read_text(encoding="utf-8"))
            run = Run(**{name: document[name] for name in PUBLIC_FIELDS})
            run.outputs = {int(index): output for index, output in document["outputs"].items()}
            for number, (name, count) in enumerate(document["evidence"].items(), start=1):
                run.evidence[name] = [
                    tuple((place / f"{number}.{index}.{kind}").read_bytes() for kind in ("json", "safetensors"))
                    for index in range(min(count, 2))
                ]
            return run
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise KeyError(f"no run {key}") from error
