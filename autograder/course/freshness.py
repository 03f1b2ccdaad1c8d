"""Remember which notebooks are fresh, so that a lab whose inputs have not changed is not built again.

`build/labs/LAB.json` holds a hash of everything that the notebooks are made from, and of the notebooks themselves.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from autograder import ROOT
from autograder.course.labs import Lab, colab_address, wheel_address
from utils.checks.exercise import load

BUILDER = (
    *(f"autograder/course/{name}.py" for name in ("build", "cells", "freshness", "labs", "source")),
    "nbgrader_config.py",
)
TOOLS = ("jupytext", "nbformat", "nbgrader")


def is_fresh(lab: Lab) -> bool:
    """Return whether both notebooks are what the builder would write."""
    try:
        remembered = json.loads(record_of(lab).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return remembered == current(lab)


def remember_fresh(lab: Lab) -> None:
    """Note that both notebooks were built from the present inputs."""
    record = record_of(lab)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(current(lab), indent=1) + "\n", encoding="utf-8")


def record_of(lab: Lab) -> Path:
    """Return the file that records from which sources a lab was built."""
    return ROOT / "build" / "labs" / f"{lab.name}.json"


def current(lab: Lab) -> dict[str, str]:
    """Return the hash of the inputs and those of the notebooks; an empty one of a notebook that does not exist."""
    digest = hashlib.sha256(lab.source.read_bytes())
    for name in BUILDER:
        digest.update((ROOT / name).read_bytes())
    entries = [(entry.name, entry.points, entry.manual) for entry in load(lab.short)]
    tools = [(name, version(name)) for name in TOOLS]
    digest.update(repr((entries, tools, colab_address(lab), wheel_address())).encode())
    return {"inputs": digest.hexdigest(), "solution": hash_of(lab.solution), "student": hash_of(lab.student)}


def hash_of(path: Path) -> str:
    """Return the hash of a file, and an empty text if it does not exist."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
