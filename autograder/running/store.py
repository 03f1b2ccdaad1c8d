"""Stored runs: content-addressed, written beside and renamed, so that a killed grader loses only what was in flight.

A key names the code that ran and its challenges, so the same submission never runs twice. With each run the versions of
the probes that ran are stored. When a probe has changed since, the stored evidence is stale and reported.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from autograder.files import rename_synced, temporary_name, write_synced
from autograder.running.run import Run, Task

HALF_WRITTEN_S = 3600  # after this, a run that is still half written belongs to a grader that was killed
PUBLIC_FIELDS = ("submission_hash", "problems", "cpu_s", "wall_s", "memory_kb", "protected")
MAX_COPIES = 2  # of one exercise's evidence


def task_key(task: Task) -> str:
    """Return the key of a task's run."""
    document = json.dumps([task.digest, sorted(task.keys.items())])
    return hashlib.sha256(document.encode()).hexdigest()


class Store:
    """A folder of runs, readable only by its owner.

    Args:
        folder: where the runs are; made if it does not exist.
        versions: exercise -> the present version of its probe.
    """

    def __init__(self, folder: Path, versions: Mapping[str, int]):
        self.folder = folder
        self.versions = dict(versions)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.sweep()

    def sweep(self) -> None:
        """Remove the half-written runs of graders that were killed."""
        for left in self.folder.glob("*/.*"):
            with contextlib.suppress(FileNotFoundError):  # another grader has just renamed or removed it
                if time.time() - left.stat().st_mtime > HALF_WRITTEN_S:
                    shutil.rmtree(left, ignore_errors=True)

    def folder_of(self, key: str) -> Path:
        """Return the folder of one run."""
        return self.folder / key[:2] / key

    def __contains__(self, key: str) -> bool:
        """Return whether the run of this key can be used: it is readable, and its evidence is not stale."""
        return self.can_use(key, protected=False)

    def can_use(self, key: str, protected: bool) -> bool:
        """Return whether the run of this key can be used; with `protected`, only one that was made in the sandbox."""
        try:
            run = self.load(key)
        except KeyError:
            return False
        return not self.stale(key) and (run.protected or not protected)

    def stale(self, key: str) -> dict[str, tuple[int, int]]:
        """Return the exercises whose probe has changed since this run: exercise -> its version then and now."""
        try:
            document = json.loads((self.folder_of(key) / "versions.json").read_text(encoding="utf-8"))
            then = {name: int(document.get(name, 0)) for name in self.versions}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
        return {name: (then[name], now) for name, now in self.versions.items() if then[name] != now}

    def save(self, key: str, run: Run) -> None:
        """Write a run. It replaces one that is stale, damaged or unprotected; of two that can be used, one stays."""
        final = self.folder_of(key)
        final.parent.mkdir(exist_ok=True)
        beside = temporary_name(final)
        beside.mkdir(mode=0o700)
        self.write_run(beside, run)
        if not self.can_use(key, run.protected):
            old = temporary_name(final)
            with contextlib.suppress(FileNotFoundError):  # there is none, or another grader was faster
                os.rename(final, old)
            shutil.rmtree(old, ignore_errors=True)
        try:
            rename_synced(beside, final)
        except OSError:  # there is a run that can be used
            shutil.rmtree(beside, ignore_errors=True)

    def write_run(self, folder: Path, run: Run) -> None:
        """Write the files of one run."""
        counts = {}
        for number, (name, copies) in enumerate(run.evidence.items(), start=1):
            counts[name] = len(copies)
            for index, (text, tensors) in enumerate(copies[:MAX_COPIES]):
                write_synced(folder / f"{number}.{index}.json", text)
                write_synced(folder / f"{number}.{index}.safetensors", tensors)
        document = {name: getattr(run, name) for name in PUBLIC_FIELDS}
        document |= {"evidence": counts, "outputs": {str(index): output for index, output in run.outputs.items()}}
        write_synced(folder / "versions.json", json.dumps(self.versions))
        write_synced(folder / "run.json", json.dumps(document))

    def load(self, key: str) -> Run:
        """Return the run of this key.

        Raises:
            KeyError: it does not exist or cannot be read.
        """
        folder = self.folder_of(key)
        try:
            document = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            facts = {name: document[name] for name in PUBLIC_FIELDS}
            evidence = {
                name: tuple(read_evidence(folder, number, index) for index in range(min(count, MAX_COPIES)))
                for number, (name, count) in enumerate(document["evidence"].items(), start=1)
            }
            outputs = {int(index): output for index, output in document["outputs"].items()}
            return Run(**facts | {"problems": tuple(facts["problems"])}, evidence=evidence, outputs=outputs)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise KeyError(f"no run {key}") from error


def read_evidence(folder: Path, number: int, index: int) -> tuple[bytes, bytes]:
    """Return one copy of the evidence of a run's exercise: JSON and safetensors."""
    stem = folder / f"{number}.{index}"
    return stem.with_name(f"{stem.name}.json").read_bytes(), stem.with_name(f"{stem.name}.safetensors").read_bytes()
