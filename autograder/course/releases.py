"""The archive of releases: what students were given, so that an old notebook is compared with its own release.

One file a release, `archive/LAB/HASH.ipynb`: the instructor notebook without outputs. Beside it `HASH.json` says when
it was released, and with which `utils`. The folder is git-ignored; keep it with the gradebook and the store.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import os
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import ROOT
from autograder.course.labs import Lab, settings
from autograder.course.source import read_source, release_hash
from autograder.errors import ReleaseError

NAME = re.compile(r"[0-9a-f]{12}")


def folder() -> Path:
    """`$LAB_ARCHIVE`, or `archive` in the course's folder."""
    return Path(os.environ.get("LAB_ARCHIVE") or ROOT / "archive")


def keep(lab: Lab) -> Path:
    """Archive the present release of a lab. The same release is written once."""
    notebook = read_source(lab)
    name = notebook.metadata["guidance_labs"]["release"]
    place = folder() / lab.name / f"{name}.ipynb"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        folder().chmod(0o700)
        facts = {
            "released": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "version": settings()["project"]["version"],
            "utils": utils_hash(),
        }
        place.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        place.with_suffix(".part").write_text(nbformat.writes(notebook), encoding="utf-8")
        place.with_suffix(".part").rename(place)
    return place


@functools.lru_cache(maxsize=64)
def find(lab: Lab, release: str) -> NotebookNode:
    """The instructor notebook of a release; the present one where the archive does not have it. Not to be changed."""
    present = read_source(lab)
    place = folder() / lab.name / f"{release}.ipynb"
    if release == present.metadata["guidance_labs"]["release"] or not NAME.fullmatch(release) or not place.is_file():
        return present
    notebook = nbformat.read(place, as_version=4)
    if release_hash(notebook) != release:
        raise ReleaseError(f"{place} is damaged: it is not the release that its name says. Restore it from a backup.")
    return notebook


def utils_hash() -> str:
    """Names the version of `utils` that was released: its Python files and what they load."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "utils").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
