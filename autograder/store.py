"""Stored runs: content-addressed, written beside and renamed. A killed run loses only what was in flight.

A key names the code that ran, the challenge, and the versions of the probes; the same submission is never run twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from autograder.execution import Run, Task

PUBLIC_FIELDS = ("submission_hash", "problems", "cpu_s", "wall_s", "memory_kb", "protected")


def task_key(task: Task, versions: dict[str, int]) -> str:
    """The address of a task's run."""
    document = json.dumps([task.digest, sorted(task.keys.items()), sorted(versions.items())])
    return hashlib.sha256(document.encode()).hexdigest()


class Store:
    """A folder of runs, readable only by its owner."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)

    def place(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def __contains__(self, key: str) -> bool:
        return (self.place(key) / "run.json").is_file()

    def save(self, key: str, run: Run) -> None:
        """Write a run; if another process was faster, its copy stays."""
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
        (beside / "run.json").write_text(json.dumps(document), encoding="utf-8")
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
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeyError(f"no run {key}") from error
