"""Read the one hand-written source of a lab as an instructor notebook.

CONTRIBUTING.md lists the cell options. Points come from the registry of exercises.
"""

from __future__ import annotations

import hashlib
import re

import jupytext
import nbformat
from nbformat import NotebookNode

from autograder import ROOT
from autograder.course.cells import (
    BADGE,
    NAME,
    ROLES,
    answer_cell,
    check_cells,
    give_ids,
    hand_in_cells,
    hide_source,
    plain_cell,
    role_cell,
)
from autograder.course.labs import Lab, colab_address
from autograder.errors import SourceError
from utils.checks.exercise import Exercise, load

OPTIONS = ("role", "answer", "check", "hidden", "tags", "cell_marker")
UNREADABLE = "incorrectly_encoded_metadata"  # where jupytext puts options that it cannot read


def read_source(lab: Lab) -> NotebookNode:
    """Return the percent source as an instructor notebook: ids, nbgrader metadata, test cells; no outputs.

    Raises:
        SourceError: an unknown option, an unknown, missing or repeated exercise, an answer without its markers. The
            message names file and line.
    """
    text = lab.source.read_text(encoding="utf-8")
    source = jupytext.reads(text, fmt="py:percent")
    exercises = {entry.name: entry for entry in load(lab.short)}
    lines = lines_of_cells(text, len(source.cells))
    cells: list[NotebookNode] = []
    used: dict[tuple[str, str], int | None] = {}  # kind and exercise -> line
    for cell, line in zip(source.cells, lines, strict=True):
        try:
            cells += build_cells(lab, cell, exercises)
            remember_use(used, cell, line)
        except SourceError as error:
            raise SourceError(f"{place_of(lab, line)}: {error}") from None
    require_all(lab, exercises, used)
    if cells and cells[0].cell_type == "markdown":
        cells[0].source = BADGE.format(address=colab_address(lab)) + cells[0].source
    notebook = nbformat.v4.new_notebook(cells=[*cells, *hand_in_cells(lab)])
    give_ids(notebook)
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        language_info={"name": "python"},
        guidance_labs={"lab": lab.name, "release": release_hash(notebook)},
    )
    nbformat.validate(notebook)
    return notebook


def build_cells(lab: Lab, cell: NotebookNode, exercises: dict[str, Exercise]) -> list[NotebookNode]:
    """Return the notebook's cells that one cell of the source represents.

    Raises:
        SourceError: its options are wrong.
    """
    options = {key: value for key, value in cell.metadata.items() if key != "lines_to_next_cell"}
    if UNREADABLE in options:
        raise SourceError(
            f'the options of this cell cannot be read: {options[UNREADABLE]}. Write key="value", with both quotes'
        )
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise SourceError(f"unknown cell option {', '.join(unknown)}; there are {', '.join(OPTIONS[:-1])}")
    if "hidden" in options:
        if "answer" in options or "check" in options or cell.cell_type != "code":
            raise SourceError('hidden="TITLE" folds code away; it cannot stand with answer, check or text')
        title = options.pop("hidden")
        return [hide_source(role_or_plain_cell(cell, options), title)]
    if "answer" in options:
        return [answer_cell(cell, find_exercise(options["answer"], exercises))]
    if "check" in options:
        return check_cells(find_exercise(options["check"], exercises))
    return [role_or_plain_cell(cell, options)]


def role_or_plain_cell(cell: NotebookNode, options: dict[str, str]) -> NotebookNode:
    """Return a cell with a role, or one without.

    Raises:
        SourceError: there is no such role.
    """
    if options.get("role") in ROLES:
        return role_cell(cell, options["role"])
    if "role" in options:
        raise SourceError(f"unknown role '{options['role']}'; there are {', '.join(ROLES)}")
    return plain_cell(cell)


def find_exercise(name: str, exercises: dict[str, Exercise]) -> Exercise:
    """Return an exercise of this lab.

    Raises:
        SourceError: the registry does not have it, or its name is not one that graders find in a notebook.
    """
    if name not in exercises:
        raise SourceError(f"there is no exercise '{name}'; there are {', '.join(exercises)}")
    if not re.fullmatch(NAME, name):
        raise SourceError(
            f"the name '{name}' cannot be used: after the lab's name and a dot, only a-z, 0-9 and _ may follow"
        )
    return exercises[name]


def remember_use(used: dict[tuple[str, str], int | None], cell: NotebookNode, line: int | None) -> None:
    """Note that a cell answers or checks an exercise.

    Raises:
        SourceError: another cell did so before.
    """
    for kind in ("answer", "check"):
        if name := cell.metadata.get(kind):
            if (kind, name) in used:
                raise SourceError(
                    f'a second cell with {kind}="{name}" (the first is in line {used[kind, name]}). An exercise has '
                    f"one {kind} cell: join the two, or make one of them a cell of definitions"
                )
            used[kind, name] = line


def require_all(lab: Lab, exercises: dict[str, Exercise], used: dict[tuple[str, str], int | None]) -> None:
    """Check that every exercise of the registry has its cells.

    Raises:
        SourceError: an answer or a check is missing.
    """
    for entry in exercises.values():
        for kind in ("answer",) if entry.manual else ("answer", "check"):
            if (kind, entry.name) not in used:
                what = "model answer" if kind == "answer" else "check"
                raise SourceError(
                    f"{place_of(lab, None)}: the {what} of {entry.name} is missing. The registry has this exercise, "
                    f'so a cell with the option {kind}="{entry.name}" is needed'
                )


def lines_of_cells(text: str, cells: int) -> list[int | None]:
    """Return the line on which each cell of a percent source begins; None if cells cannot be distinguished."""
    markers = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"# ?%%", line)]
    lead = cells - len(markers)  # jupytext makes a cell of the text before the first marker
    return [None] * cells if lead not in (0, 1) else [None] * lead + markers


def place_of(lab: Lab, line: int | None) -> str:
    """Return file and line, for a message."""
    path = lab.source.relative_to(ROOT) if lab.source.is_relative_to(ROOT) else lab.source
    return f"{path}" if line is None else f"{path}, line {line}"


def release_hash(notebook: NotebookNode) -> str:
    """Return the name of a release: a hash of the sources of all cells and their grading metadata."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        digest.update(repr((cell.cell_type, cell.source, sorted(cell.metadata.get("nbgrader", {}).items()))).encode())
    return digest.hexdigest()[:12]
