"""The archive of releases: what students were given, so that an old notebook is compared with its own release.

One file per release, `archive/LAB/HASH.ipynb`, holds the instructor notebook without outputs. Beside it `HASH.json`
says when it was released, and with which `utils`. The folder is git-ignored; back it up with the gradebook and the
store.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import ROOT
from autograder.course.code_hash import hash_of_folders
from autograder.course.labs import Lab
from autograder.course.source import read_source, release_hash
from autograder.errors import ReleaseError
from autograder.files import replace_file
from utils.version import VERSION

RELEASE = re.compile(r"[0-9a-f]{12}")


def archive_folder() -> Path:
    """Return `$LAB_ARCHIVE`, or `archive` in the course's folder."""
    return Path(os.environ.get("LAB_ARCHIVE") or ROOT / "archive")


def archive_release(lab: Lab) -> Path:
    """Archive the present release of a lab, unless the archive has it, and return its file."""
    notebook = read_source(lab)
    name = notebook.metadata["guidance_labs"]["release"]
    place = archive_folder() / lab.name / f"{name}.ipynb"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        archive_folder().chmod(0o700)
        facts = {
            "released": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "version": VERSION,
            "utils": utils_hash(),
        }
        replace_file(place.with_suffix(".json"), json.dumps(facts, indent=1) + "\n")
        replace_file(place, nbformat.writes(notebook))
    return place


@functools.lru_cache(maxsize=64)
def find_release(lab: Lab, release: str) -> NotebookNode:
    """Return the instructor notebook of a release. It is shared by all callers: do not change it.

    Args:
        lab: the lab.
        release: the release's hash, from a student's notebook; it may be anything.

    Returns:
        The archived notebook; the present one if the archive does not have this release.

    Raises:
        RuntimeError: the archived file is damaged.
    """
    present = read_source(lab)
    place = archive_folder() / lab.name / f"{release}.ipynb"
    if release == present.metadata["guidance_labs"]["release"] or not RELEASE.fullmatch(release) or not place.is_file():
        return present
    notebook = nbformat.read(place, as_version=4)
    if release_hash(notebook) != release:
        raise ReleaseError(f"{place} is damaged: it is not the release that its name says. Restore it from a backup.")
    return notebook


def utils_hash() -> str:
    """Return a hash of `utils` as it is now: its Python files and the files that they load."""
    return hash_of_folders("utils")[:12]
