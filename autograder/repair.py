"""A submission compared with its release: what was lost is put back, what was changed is replaced, all of it is said.

Cells are matched by `grade_id`, then by the marker in their source; never by their place or a hash.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.author import Lab, exercise_of, find_lab, read_source, role_of
from utils.checks.exercise import LABS, REGISTRY

MAX_BYTES = 64 * 2**20


class NotANotebook(ValueError):
    """The file is not a notebook of this course; the message says why, in a sentence."""


@dataclass
class Submission:
    """A repaired submission: what will run, and what had to be mended."""

    lab: Lab
    release: str
    notebook: NotebookNode
    repairs: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # base64, beside the notebook


def read_notebook(path: Path) -> NotebookNode:
    """A notebook from a file that may hold anything.

    Raises:
        NotANotebook: missing, empty, too large, not text, not JSON, not a notebook.
    """
    try:
        if not path.is_file():
            raise NotANotebook(f"{path} is not a file")
        if path.stat().st_size > MAX_BYTES:
            raise NotANotebook(f"{path.name} has {path.stat().st_size // 2**20} MB; the limit is {MAX_BYTES // 2**20}")
        raw = path.read_bytes()
    except OSError as error:
        raise NotANotebook(f"{path} cannot be read: {error.strerror}") from error
    if not raw.strip():
        raise NotANotebook(f"{path.name} is empty")
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NotANotebook(f"{path.name} is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise NotANotebook(f"{path.name} is not JSON ({str(error)[:80]})") from error
    if not isinstance(data, dict) or not isinstance(data.get("cells", data.get("worksheets")), list):
        raise NotANotebook(f"{path.name} is JSON, but not a notebook")
    try:
        return nbformat.reads(json.dumps(data), as_version=4)
    except Exception as error:
        raise NotANotebook(f"{path.name} is not a notebook that can be read ({type(error).__name__})") from error


def guess_lab(notebook: NotebookNode) -> Lab | None:
    """By the release's mark in the metadata, else by the exercises that its cells name."""
    mark = notebook.metadata.get("guidance_labs", {})
    name = mark.get("lab") if isinstance(mark, dict) else None
    if name in LABS.values():
        return find_lab(name)
    votes = [exercise_of(cell).split(".")[0] for cell in notebook.cells if exercise_of(cell)]
    votes = [vote for vote in votes if vote in LABS]
    return find_lab(max(set(votes), key=votes.count)) if votes else None


@functools.lru_cache
def read_master(lab: Lab) -> NotebookNode:
    """The release's instructor notebook; not to be changed."""
    return read_source(lab)


def repair(notebook: NotebookNode, lab: Lab) -> Submission:
    """Bring a submission into the shape of its release."""
    master = read_master(lab)
    mended: list[str] = []
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in master.cells if "nbgrader" in cell.metadata}
    cells: list[NotebookNode] = []
    seen: set[str] = set()
    for cell in notebook.cells:
        grade_id = match(cell, by_id)
        if grade_id is None:
            cell.metadata.pop("nbgrader", None)
            cells.append(cell)
            continue
        original = by_id[grade_id]
        is_answer = role_of(original) in ("answer", "written")
        if grade_id in seen:
            mended.append(f"a second copy of the cell {grade_id} was set aside")
            cell.metadata.pop("nbgrader", None)
            if is_answer:
                cells.append(cell)
            continue
        seen.add(grade_id)
        kept = copy.deepcopy(original)
        if cell.cell_type != original.cell_type:
            mended.append(f"the cell {grade_id} was turned back into a {original.cell_type} cell")
        elif not is_answer and text_of(cell.source) not in (
            text_of(original.source),
            text_of(visible(original.source)),
        ):
            mended.append(f"the locked cell {grade_id} was changed; the original was put back")
        if is_answer:
            kept.source = cell.source
            if grade_id_of(cell) != grade_id:
                mended.append(f"the lost metadata of the cell {grade_id} were put back")
        cells.append(kept)
    for index, original in enumerate(master.cells):
        grade_id = original.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id and grade_id not in seen:
            mended.append(f"the missing cell {grade_id} was put back")
            new = copy.deepcopy(original)
            if role_of(original) in ("answer", "written"):
                new.source = ""
            cells.insert(place(cells, master.cells, index), new)
    mark = notebook.metadata.get("guidance_labs", {})
    result = nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(master.metadata))
    return Submission(lab, str(mark.get("release", "")) or master.metadata["guidance_labs"]["release"], result, mended)


def grade_id_of(cell: NotebookNode) -> str | None:
    data = cell.metadata.get("nbgrader")
    grade_id = data.get("grade_id") if isinstance(data, dict) else None
    return grade_id if isinstance(grade_id, str) else None


def visible(source: str) -> str:
    """A test cell as students have it."""
    return re.sub(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", "", source, flags=re.DOTALL)


def text_of(source: str) -> str:
    """For comparing: line ends and the space around do not count."""
    return source.replace("\r\n", "\n").strip()


def match(cell: NotebookNode, by_id: dict[str, NotebookNode]) -> str | None:
    """The release's cell that this one is."""
    grade_id = grade_id_of(cell)
    if grade_id in by_id:
        return grade_id
    name = exercise_of(cell)
    if name is None or cell.source.lstrip().startswith("check("):
        return None
    entry = REGISTRY.get(name)
    if entry is None:
        return None
    candidate = entry.grade_id if "# TEST:" in cell.source else entry.answer_id
    return candidate if candidate in by_id else None


def place(cells: list[NotebookNode], master: list[NotebookNode], index: int) -> int:
    """Where a missing cell goes: after the nearest earlier cell of the release that is there; set-up goes first."""
    present = {c.metadata.nbgrader.grade_id: i for i, c in enumerate(cells) if "nbgrader" in c.metadata}
    for earlier in reversed(master[:index]):
        grade_id = earlier.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in present:
            return present[grade_id] + 1
    return 0
