"""Random damages of a right submission: each seed names one, so that a failure can be repeated by its number."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from tests.intake.damages import solved

Notebook = dict[str, Any]
ODD: tuple[Any, ...] = (None, 0, -1, 1e300, "", "x", [], {}, [[]], {"a": {"b": []}}, True, "\ud800", "x" * 5000, "\x00")
KINDS = ("code", "markdown", "raw", "heading", "", 7, None, ["code"])
WRITTEN = ("x = 1\n", "# a note\n", "print('hello')\n", "raise ValueError\n", "%matplotlib inline\n", "```\n", "<!--\n")


def pick(rng: random.Random, notebook: Notebook) -> dict:
    """Return a random cell."""
    return rng.choice(notebook["cells"])


def delete_cell(rng: random.Random, notebook: Notebook) -> None:
    """Delete a cell."""
    notebook["cells"].remove(pick(rng, notebook))


def copy_cell(rng: random.Random, notebook: Notebook) -> None:
    """Copy a cell to anywhere."""
    notebook["cells"].insert(rng.randrange(len(notebook["cells"]) + 1), copy.deepcopy(pick(rng, notebook)))


def move_cell(rng: random.Random, notebook: Notebook) -> None:
    """Move a cell to anywhere."""
    cell = notebook["cells"].pop(rng.randrange(len(notebook["cells"])))
    notebook["cells"].insert(rng.randrange(len(notebook["cells"]) + 1), cell)


def retype_cell(rng: random.Random, notebook: Notebook) -> None:
    """Change the type of a cell."""
    pick(rng, notebook)["cell_type"] = rng.choice(KINDS)


def lose_metadata(rng: random.Random, notebook: Notebook) -> None:
    """Delete a cell's metadata, or a part of it."""
    cell = pick(rng, notebook)
    if isinstance(cell.get("metadata"), dict) and cell["metadata"] and rng.random() < 0.5:
        del cell["metadata"][rng.choice(sorted(cell["metadata"]))]
    else:
        cell.pop("metadata", None)


def odd_metadata(rng: random.Random, notebook: Notebook) -> None:
    """Replace a part of a cell's metadata by something odd."""
    cell = pick(rng, notebook)
    data = cell["metadata"] if isinstance(cell.get("metadata"), dict) else {}
    inner = data.get("nbgrader") if isinstance(data.get("nbgrader"), dict) else data
    inner[rng.choice([*sorted(inner), "nbgrader", "tags", "grade_id"])] = copy.deepcopy(rng.choice(ODD))
    cell["metadata"] = data


def swap_metadata(rng: random.Random, notebook: Notebook) -> None:
    """Swap the metadata of two cells."""
    one, two = pick(rng, notebook), pick(rng, notebook)
    one["metadata"], two["metadata"] = two.get("metadata", {}), one.get("metadata", {})


def odd_part(rng: random.Random, notebook: Notebook) -> None:
    """Replace any part of a cell, but its source, by something odd."""
    cell = pick(rng, notebook)
    cell[rng.choice(["id", "outputs", "execution_count", "attachments", "metadata", "extra"])] = rng.choice(ODD)


def odd_cell(rng: random.Random, notebook: Notebook) -> None:
    """Insert something that is no cell."""
    notebook["cells"].insert(rng.randrange(len(notebook["cells"]) + 1), copy.deepcopy(rng.choice(ODD)))
    notebook["cells"] = [cell for cell in notebook["cells"] if isinstance(cell, dict) or rng.random() < 0.9]


def write_cell(rng: random.Random, notebook: Notebook) -> None:
    """Insert a cell of the student's own."""
    cell = {"cell_type": rng.choice(["code", "markdown"]), "source": rng.choice(WRITTEN), "metadata": {}}
    notebook["cells"].insert(rng.randrange(len(notebook["cells"]) + 1), cell)


def split_lines(rng: random.Random, notebook: Notebook) -> None:
    """Write a source as a list of lines, as Jupyter does."""
    cell = pick(rng, notebook)
    if isinstance(cell.get("source"), str):
        cell["source"] = cell["source"].splitlines(keepends=True)


def line_ends(rng: random.Random, notebook: Notebook) -> None:
    """Write Windows line ends, or blanks at the end of lines, into all cells."""
    end = rng.choice(["\r\n", "  \n"])
    for cell in notebook["cells"]:
        if isinstance(cell, dict) and isinstance(cell.get("source"), str):
            cell["source"] = cell["source"].replace("\n", end)


def odd_notebook(rng: random.Random, notebook: Notebook) -> None:
    """Replace a part of the notebook, but its cells, by something odd."""
    notebook[rng.choice(["metadata", "nbformat_minor", "extra"])] = copy.deepcopy(rng.choice(ODD))


def lose_ids(rng: random.Random, notebook: Notebook) -> None:
    """Delete the ids of all cells, or give all the same one."""
    for cell in notebook["cells"]:
        if isinstance(cell, dict):
            cell["id"] = "same"
            if rng.random() < 0.5:
                del cell["id"]


IN_CELLS: tuple[Callable[[random.Random, Notebook], None], ...] = (
    delete_cell, copy_cell, move_cell, retype_cell, lose_metadata, odd_metadata, swap_metadata, odd_part, odd_cell,
    write_cell, split_lines, line_ends, odd_notebook, lose_ids,
)  # fmt: skip


def in_bytes(rng: random.Random, data: bytes) -> tuple[str, bytes]:
    """Return the file with random bytes changed, and what was done."""
    at, length = rng.randrange(len(data)), rng.choice([1, 1, 2, 8, 100, 5000])
    what = rng.choice(["flip", "delete", "insert", "repeat", "truncate", "encode"])
    if what == "flip":
        return what, data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if what == "delete":
        return what, data[:at] + data[at + length :]
    if what == "insert":
        return what, data[:at] + rng.randbytes(length) + data[at:]
    if what == "repeat":
        return what, data[: at + length] + data[at:]
    if what == "truncate":
        return what, data[:at]
    return what, data.decode("utf-8").encode(rng.choice(["utf-16", "cp1252", "utf-8-sig", "latin-1"]), "replace")


def damaged(seed: int) -> tuple[list[str], bytes]:
    """Return what was done to a right submission, and the damaged file.

    One in four files is damaged in its bytes; the others in one to four of their cells.
    """
    rng = random.Random(seed)
    notebook: Notebook = json.loads(json.dumps(solved_text()))
    if seed % 4 == 3:
        what, data = in_bytes(rng, json.dumps(notebook, ensure_ascii=False).encode())
        return [what], data
    steps = []
    for _ in range(rng.choice([1, 1, 2, 4])):
        change = rng.choice(IN_CELLS)
        notebook["cells"] = [cell for cell in notebook["cells"] if isinstance(cell, dict)] or [{"source": "x"}]
        change(rng, notebook)
        steps.append(change.__name__)
    return steps, json.dumps(notebook).encode()


_solved: list[Notebook] = []


def solved_text() -> Notebook:
    """Return the right submission, made once."""
    if not _solved:
        _solved.append(json.loads(json.dumps(solved())))
    return _solved[0]
