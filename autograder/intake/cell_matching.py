"""Match the cells of a submission with the cells of its release.

A cell is matched by its `grade_id`, then by the marker in its source; never by its position or a hash.
"""

from __future__ import annotations

import re

from nbformat import NotebookNode

from autograder.course.cells import exercise_of, role_of
from utils.checks.exercise import REGISTRY
from utils.submission import EMPTY_ANSWER

ANSWER = re.compile(r"(?m)^[ \t]*(?:#|<!--) GRADED: ([a-z0-9]+\.[a-z_0-9]+)")
ANSWER_ROLES = ("answer", "written")  # the cells that students fill in; all other cells of a release are locked
LONGEST_STUB = 10_000  # characters; a longer source is not the release's stub


def grade_id_of(cell: NotebookNode) -> str | None:
    """Return the grade_id in the metadata of a cell, or None."""
    data = cell.metadata.get("nbgrader")
    grade_id = data.get("grade_id") if isinstance(data, dict) else None
    return grade_id if isinstance(grade_id, str) else None


def cells_by_id(cells: list[NotebookNode]) -> dict[str, NotebookNode]:
    """Return the graded and locked cells of a release by their grade_id."""
    return {grade_id: cell for cell in cells if (grade_id := grade_id_of(cell)) is not None}


def match(cell: NotebookNode, by_id: dict[str, NotebookNode]) -> str | None:
    """Return the grade_id of the release's cell that a submitted cell corresponds to, or None.

    Args:
        cell: A cell of the submission.
        by_id: The cells of the release by grade_id.
    """
    answers = [REGISTRY[name].answer_id for name in ANSWER.findall(cell.source) if name in REGISTRY]
    answers = [answer for answer in answers if answer in by_id]
    grade_id = grade_id_of(cell)
    if grade_id in by_id:
        # An answer that was merged into a locked cell counts as the answer: the locked cell can be restored, the
        # answer cannot.
        return answers[0] if answers and role_of(by_id[grade_id]) not in ANSWER_ROLES else grade_id
    if answers:
        return answers[0]
    name = exercise_of(cell)
    if name in REGISTRY and f"# TEST: {name}" in cell.source and REGISTRY[name].grade_id in by_id:
        return REGISTRY[name].grade_id
    return None


def choose_copies(cells: list[NotebookNode], matches: list[str | None]) -> dict[str, int]:
    """Return the index of the cell that counts for each grade_id: the first copy with work in it, else the first.

    Args:
        cells: The cells of the submission.
        matches: The grade_id of each, or None.
    """
    chosen: dict[str, int] = {}
    for index, (cell, grade_id) in enumerate(zip(cells, matches, strict=True)):
        if grade_id is not None and (
            grade_id not in chosen or (is_blank(cells[chosen[grade_id]]) and not is_blank(cell))
        ):
            chosen[grade_id] = index
    return chosen


def is_blank(cell: NotebookNode) -> bool:
    """Tell whether an answer was not begun: it is the release's stub, or empty."""
    if len(cell.source) > LONGEST_STUB:
        return False
    words = re.sub(r"(?m)^#.*$", "", without_comments(cell.source)).strip()
    return words in ("", EMPTY_ANSWER) or words.endswith("raise NotImplementedError()")


def left_empty(cell: NotebookNode) -> bool:
    """Tell whether the box of a written answer is as it was released.

    A box that repair restored is not: its source is empty, and the answer may be in another cell.
    """
    if len(cell.source) > LONGEST_STUB:
        return False
    words = without_comments(cell.source).strip()
    return words in ("", EMPTY_ANSWER) and bool(cell.source.strip()) and not cell.get("attachments")


def visible(source: str) -> str:
    """Return the source of a test cell as students see it, without hidden tests."""
    return without_blocks(f"{source}\n", "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS\n")


def without_comments(source: str) -> str:
    """Return Markdown without its HTML comments."""
    return without_blocks(source, "<!--", "-->")


def without_blocks(source: str, begin: str, end: str) -> str:
    """Return a text without the blocks between two marks, in linear time.

    A regular expression would search the whole text once for each mark that begins a block and has no end.
    """
    kept, place = [], 0
    while (start := source.find(begin, place)) >= 0 and (stop := source.find(end, start + len(begin))) >= 0:
        kept.append(source[place:start])
        place = stop + len(end)
    return "".join([*kept, source[place:]])


def text_of(source: str) -> str:
    """Return a source for comparison: line endings and surrounding space do not count."""
    return source.replace("\r\n", "\n").strip()
