"""Read the one hand-written source of a lab as an instructor notebook.

CONTRIBUTING.md lists the cell options. Points come from the registry of exercises."""

from __future__ import annotations

import hashlib

import jupytext
import nbformat
from nbformat import NotebookNode

from autograder.course.cells import (
    BADGE,
    ROLES,
    answer_cell,
    check_cells,
    give_ids,
    hand_in_cells,
    plain_cell,
    role_cell,
)
from autograder.course.labs import Lab, colab_address
from autograder.errors import SourceError
from utils.checks.exercise import find, load


def read_source(lab: Lab) -> NotebookNode:
    """The percent source as an instructor notebook: ids, nbgrader metadata, test cells; no outputs.

    Raises:
        SourceError: an unknown option, an exercise that is missing or stands twice, an answer without its markers.
    """
    source = jupytext.read(lab.source, fmt="py:percent")
    cells: list[NotebookNode] = []
    for cell in source.cells:
        options = {key: value for key, value in cell.metadata.items() if key != "lines_to_next_cell"}
        if unknown := set(options) - {"role", "answer", "check", "tags", "cell_marker"}:
            raise SourceError(f"{lab.source.name}: unknown cell options {sorted(unknown)}")
        if "answer" in options:
            cells.append(answer_cell(lab, cell, find(options["answer"])))
        elif "check" in options:
            cells += check_cells(find(options["check"]))
        elif options.get("role") in ROLES:
            cells.append(role_cell(cell, options["role"]))
        elif "role" in options:
            raise SourceError(f"{lab.source.name}: unknown role '{options['role']}'; there are {', '.join(ROLES)}")
        else:
            cells.append(plain_cell(cell))
    if cells and cells[0].cell_type == "markdown":
        cells[0].source = BADGE.format(address=colab_address(lab)) + cells[0].source
    cells += hand_in_cells(lab)
    seen = [c.metadata.nbgrader.grade_id for c in cells if "nbgrader" in c.metadata and c.metadata.nbgrader.grade]
    wanted = [entry.grade_id for entry in load(lab.short)]
    if sorted(seen) != sorted(wanted):
        raise SourceError(
            f"{lab.source.name}: graded cells {sorted(set(seen) ^ set(wanted)) or 'twice'} do not match the registry"
        )
    notebook = nbformat.v4.new_notebook(cells=cells)
    give_ids(notebook)
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        language_info={"name": "python"},
        guidance_labs={"lab": lab.name, "release": release_hash(notebook)},
    )
    nbformat.validate(notebook)
    return notebook


def release_hash(notebook: NotebookNode) -> str:
    """Names a release: the sources of all cells and their grading metadata."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        digest.update(repr((cell.cell_type, cell.source, sorted(cell.metadata.get("nbgrader", {}).items()))).encode())
    return digest.hexdigest()[:12]
