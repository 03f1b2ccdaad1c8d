"""Put the cells of a submission into an order in which they work."""

from __future__ import annotations

from nbformat import NotebookNode

from autograder.course.cells import named_exercise_of, role_of
from autograder.intake.cell_matching import grade_id_of
from utils.checks.exercise import REGISTRY


def position_for(cells: list[NotebookNode], release: list[NotebookNode], index: int) -> int:
    """Return where to insert a missing cell: after the nearest earlier cell of the release that is present, else first.

    Args:
        cells: The cells of the submission.
        release: The cells of the release.
        index: The missing cell's index in the release.
    """
    present = {grade_id: i for i, cell in enumerate(cells) if (grade_id := grade_id_of(cell)) is not None}
    for earlier in reversed(release[:index]):
        if (grade_id := grade_id_of(earlier)) in present:
            return present[grade_id] + 1
    return 0


def put_in_order(cells: list[NotebookNode], release: list[NotebookNode]) -> list[str]:
    """Move locked cells to where they work: set-up first, definitions before their use, tests after their answers.

    Only a locked cell in a wrong place is moved, and `cells` is changed in place.

    Args:
        cells: The cells of the submission; every cell of the release is among them.
        release: The cells of the release.

    Returns:
        One line for each cell that was moved.
    """
    moved = []
    rank = {grade_id: i for i, cell in enumerate(release) if (grade_id := grade_id_of(cell)) is not None}
    for cell in [c for c in cells if role_of(c) in ("setup", "definitions")]:
        own = rank[grade_id_of(cell) or ""]
        later = [i for i, c in enumerate(cells) if rank.get(grade_id_of(c) or "", -1) > own]
        if later and min(later) < index_of(cells, cell):
            moved.append(move(cells, cell, min(later)))
    for cell in [c for c in cells if role_of(c) == "test"]:
        answer_id = REGISTRY[named_exercise_of(cell)].answer_id
        answer = next(i for i, c in enumerate(cells) if grade_id_of(c) == answer_id)
        if answer > index_of(cells, cell):
            moved.append(move(cells, cell, answer + 1))
    return moved


def move(cells: list[NotebookNode], cell: NotebookNode, to: int) -> str:
    """Move a cell to before the cell that is at index `to` now, and return a line that says so."""
    index = index_of(cells, cell)
    cells.insert(to, cell)
    del cells[index if index < to else index + 1]
    return f"the cell {grade_id_of(cell)} was in the wrong place and was moved"


def index_of(cells: list[NotebookNode], cell: NotebookNode) -> int:
    """Return the index of this very cell; equal cells do not count."""
    return next(i for i, c in enumerate(cells) if c is cell)
