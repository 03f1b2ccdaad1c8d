"""Repair a submission by comparing it with its release: restore what was lost, replace what was changed, and report it.

What students wrote is never changed. Every repair becomes one line, which the feedback page and the report show.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from autograder.course.cells import exercise_of, role_of
from autograder.course.labs import Lab, find_lab
from autograder.course.releases import RELEASE, find_release
from autograder.intake.cell_matching import (
    ANSWER_ROLES,
    cells_by_id,
    choose_copies,
    grade_id_of,
    match,
    text_of,
    visible,
)
from autograder.intake.cell_order import position_for, put_in_order
from autograder.intake.notebook import tidy
from utils.labs import LABS


@dataclass(frozen=True)
class Submission:
    """A repaired submission.

    Attributes:
        lab: The lab that it belongs to.
        release: The hash of the release that it was made from.
        notebook: What will run.
        repairs: One line for each repair.
    """

    lab: Lab
    release: str
    notebook: NotebookNode
    repairs: tuple[str, ...] = ()


def guess_lab(notebook: NotebookNode) -> Lab | None:
    """Return the lab of a tidy notebook, or None: from its metadata, else from the exercises that its cells name."""
    name = notebook.metadata.get("guidance_labs", {}).get("lab")
    if name in LABS.values():
        return find_lab(name)
    votes = [name.split(".")[0] for cell in notebook.cells if (name := exercise_of(cell))]
    votes = [vote for vote in votes if vote in LABS]
    return find_lab(max(sorted(set(votes)), key=votes.count)) if votes else None


def repair(notebook: NotebookNode, lab: Lab) -> Submission:
    """Return a submission in the shape of its own release, or of the current one if the archive lacks its own.

    Args:
        notebook: A notebook in nbformat 4; its cells may hold anything.
        lab: The lab that it belongs to.
    """
    notebook = tidy(notebook)
    stated = notebook.metadata.get("guidance_labs", {}).get("release", "")
    original = find_release(lab, stated)
    repairs: list[str] = []
    cells = restore_cells(notebook.cells, original.cells, repairs)
    add_missing_cells(cells, original.cells, repairs)
    repairs += put_in_order(cells, original.cells)
    release = original.metadata["guidance_labs"]["release"]
    if RELEASE.fullmatch(stated):
        if stated != release:
            repairs.append(f"its release {stated} is not in the archive, so it was compared with release {release}")
        release = stated
    for index, cell in enumerate(cells):
        if cell.id.startswith("own-"):
            cell.id = f"own-{index}"  # the ids of removed copies must not leave gaps or duplicates
    result = nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(original.metadata))
    return Submission(lab, release, result, tuple(repairs))


def restore_cells(cells: list[NotebookNode], release: list[NotebookNode], repairs: list[str]) -> list[NotebookNode]:
    """Return the cells of a submission: each released cell in its original form, each answer as the student wrote it.

    Args:
        cells: The cells of the submission.
        release: The cells of the release.
        repairs: Receives one line for each repair.
    """
    by_id = cells_by_id(release)
    matches = [match(cell, by_id) for cell in cells]
    chosen = choose_copies(cells, matches)
    restored = []
    for index, (cell, grade_id) in enumerate(zip(cells, matches, strict=True)):
        if grade_id is not None and chosen[grade_id] == index:
            restored.append(restore_cell(cell, by_id[grade_id], repairs))
            continue
        cell.metadata.pop("nbgrader", None)  # a cell of the student's own, or a copy, is not graded
        if grade_id is None:
            restored.append(cell)
        elif role_of(by_id[grade_id]) in ANSWER_ROLES:
            repairs.append(f"a second copy of the cell {grade_id} was kept, but is not graded")
            restored.append(cell)
        else:
            repairs.append(f"a second copy of the cell {grade_id} was removed")
    return restored


def restore_cell(cell: NotebookNode, original: NotebookNode, repairs: list[str]) -> NotebookNode:
    """Return a released cell: a locked one as it was released, an answer with the student's source.

    Args:
        cell: The submitted cell.
        original: The cell of the release that it corresponds to.
        repairs: Receives a line for each difference that was repaired.
    """
    grade_id, is_answer = grade_id_of(original), role_of(original) in ANSWER_ROLES
    restored = copy.deepcopy(original)
    unchanged = (text_of(original.source), text_of(visible(original.source)))
    if cell.cell_type != original.cell_type:
        repairs.append(f"the cell {grade_id} was converted back to a {original.cell_type} cell")
    elif not is_answer and text_of(cell.source) not in unchanged:
        repairs.append(f"the locked cell {grade_id} was changed; the original was restored")
    if is_answer:
        restored.source = cell.source
        if "attachments" in cell:
            restored["attachments"] = cell.attachments
        if grade_id_of(cell) != grade_id:
            repairs.append(f"the lost metadata of the cell {grade_id} was restored")
    return restored


def add_missing_cells(cells: list[NotebookNode], release: list[NotebookNode], repairs: list[str]) -> None:
    """Insert each released cell that a submission lacks; a missing answer becomes an empty one.

    Args:
        cells: The cells of the submission, changed in place.
        release: The cells of the release.
        repairs: Receives one line for each inserted cell.
    """
    present = {grade_id_of(cell) for cell in cells}
    for index, original in enumerate(release):
        grade_id = grade_id_of(original)
        if grade_id is None or grade_id in present:
            continue
        repairs.append(f"the missing cell {grade_id} was restored")
        new = copy.deepcopy(original)
        if role_of(original) in ANSWER_ROLES:
            new.source = ""
        cells.insert(position_for(cells, release, index), new)
