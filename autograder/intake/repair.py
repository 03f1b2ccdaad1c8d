"""A submission compared with its release: what was lost is put back, what was changed is replaced, all of it is said.

Cells are matched by `grade_id`, then by the marker in their source; never by their place or a hash."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode

from autograder.course import releases as archive
from autograder.course.cells import NAME, exercise_of, role_of
from autograder.course.labs import Lab, find_lab
from autograder.intake.notebook import tidy
from utils.checks.exercise import LABS, REGISTRY
from utils.submission import EMPTY_ANSWER

ANSWER = re.compile(r"(?m)^[ \t]*(?:#|<!--) GRADED: (" + NAME + ")")


@dataclass
class Submission:
    """A repaired submission: what will run, and what had to be mended."""

    lab: Lab
    release: str
    notebook: NotebookNode
    repairs: list[str] = field(default_factory=list)


def guess_lab(notebook: NotebookNode) -> Lab | None:
    """By the release's mark in the metadata, else by the exercises that its cells name."""
    name = notebook.metadata.get("guidance_labs", {}).get("lab")
    if name in LABS.values():
        return find_lab(name)
    votes = [exercise_of(cell).split(".")[0] for cell in notebook.cells if exercise_of(cell)]
    votes = [vote for vote in votes if vote in LABS]
    return find_lab(max(sorted(set(votes)), key=votes.count)) if votes else None


def repair(notebook: NotebookNode, lab: Lab) -> Submission:
    """Bring a submission into the shape of its own release; of the present one where the archive does not have it."""
    mended: list[str] = []
    notebook = tidy(notebook)
    release = notebook.metadata.get("guidance_labs", {}).get("release", "")
    master = archive.find(lab, release)
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in master.cells if "nbgrader" in cell.metadata}
    matches = [match(cell, by_id) for cell in notebook.cells]
    chosen = choose(notebook.cells, matches)
    cells: list[NotebookNode] = []
    for index, (cell, grade_id) in enumerate(zip(notebook.cells, matches, strict=True)):
        if grade_id is None:
            cell.metadata.pop("nbgrader", None)
            cells.append(cell)
            continue
        original = by_id[grade_id]
        is_answer = role_of(original) in ("answer", "written")
        if chosen[grade_id] != index:
            mended.append(f"a second copy of the cell {grade_id} was set aside")
            cell.metadata.pop("nbgrader", None)
            if is_answer:
                cells.append(cell)
            continue
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
            if "attachments" in cell:
                kept["attachments"] = cell.attachments
            if grade_id_of(cell) != grade_id:
                mended.append(f"the lost metadata of the cell {grade_id} were put back")
        cells.append(kept)
    for index, original in enumerate(master.cells):
        grade_id = original.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id and grade_id not in chosen:
            mended.append(f"the missing cell {grade_id} was put back")
            new = copy.deepcopy(original)
            if role_of(original) in ("answer", "written"):
                new.source = ""
            cells.insert(place(cells, master.cells, index), new)
    mended += put_in_order(cells, master.cells)
    used = master.metadata["guidance_labs"]["release"]
    if archive.NAME.fullmatch(release) and release != used:
        mended.append(
            f"it was made from release {release}, which the archive does not have: release {used} took its place"
        )
    if not archive.NAME.fullmatch(release):
        release = used
    for index, cell in enumerate(cells):
        if cell.id.startswith("own-"):
            cell.id = f"own-{index}"  # unique again after copies were set aside
    result = nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(master.metadata))
    return Submission(lab, release, result, mended)


def choose(cells: list[NotebookNode], matches: list[str | None]) -> dict[str, int]:
    """Which of several copies is the cell: the first that somebody has worked on, else the first."""
    chosen: dict[str, int] = {}
    for index, (cell, grade_id) in enumerate(zip(cells, matches, strict=True)):
        if grade_id is not None and (
            grade_id not in chosen or (is_blank(cells[chosen[grade_id]]) and not is_blank(cell))
        ):
            chosen[grade_id] = index
    return chosen


def is_blank(cell: NotebookNode) -> bool:
    """An answer that nobody has begun: the release's stub, or nothing."""
    if len(cell.source) > 10_000:  # no stub is so long, and looking for comments in more would take too long
        return False
    words = re.sub(r"(?s:<!--.*?-->)|(?m:^#.*$)", "", cell.source).strip()
    return words in ("", EMPTY_ANSWER) or words.endswith("raise NotImplementedError()")


def left_empty(cell: NotebookNode) -> bool:
    """A written answer's box as it was given out. A box that repair has put back is not one: the answer may stand elsewhere."""
    if len(cell.source) > 10_000:
        return False
    words = re.sub(r"(?s:<!--.*?-->)", "", cell.source).strip()
    return words in ("", EMPTY_ANSWER) and bool(cell.source.strip()) and not cell.get("attachments")


def put_in_order(cells: list[NotebookNode], master: list[NotebookNode]) -> list[str]:
    """Locked cells stand where they work: set-up first, definitions before what needs them, tests after their answers.

    Only a locked cell that stands wrong is moved. Returns what was moved.
    """
    moved = []
    rank = {c.metadata.nbgrader.grade_id: i for i, c in enumerate(master) if "nbgrader" in c.metadata}

    def name(cell: NotebookNode) -> str:
        return cell.metadata.get("nbgrader", {}).get("grade_id", "")

    def move(cell: NotebookNode, to: int) -> None:
        at = index_of(cells, cell)
        cells.insert(to, cell)
        del cells[at if at < to else at + 1]
        moved.append(f"the cell {name(cell)} stood in the wrong place and was moved")

    for cell in [c for c in cells if role_of(c) in ("setup", "definitions")]:
        late = [i for i, c in enumerate(cells) if rank.get(name(c), -1) > rank[name(cell)]]
        if late and min(late) < index_of(cells, cell):
            move(cell, min(late))
    for cell in [c for c in cells if role_of(c) == "test"]:
        entry = REGISTRY[exercise_of(cell)]
        answer = next(i for i, c in enumerate(cells) if name(c) == entry.answer_id)
        if answer > index_of(cells, cell):
            move(cell, answer + 1)
    return moved


def index_of(cells: list[NotebookNode], cell: NotebookNode) -> int:
    return next(i for i, c in enumerate(cells) if c is cell)


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
    answers = [REGISTRY[name].answer_id for name in ANSWER.findall(cell.source) if name in REGISTRY]
    answers = [answer for answer in answers if answer in by_id]
    grade_id = grade_id_of(cell)
    if grade_id in by_id:
        # An answer that was merged into a locked cell stays an answer: the locked cell can be put back, the answer cannot.
        return answers[0] if answers and role_of(by_id[grade_id]) not in ("answer", "written") else grade_id
    if answers:
        return answers[0]
    name = exercise_of(cell)
    if name in REGISTRY and f"# TEST: {name}" in cell.source and REGISTRY[name].grade_id in by_id:
        return REGISTRY[name].grade_id
    return None


def place(cells: list[NotebookNode], master: list[NotebookNode], index: int) -> int:
    """Where a missing cell goes: after the nearest earlier cell of the release that is there; set-up goes first."""
    present = {c.metadata.nbgrader.grade_id: i for i, c in enumerate(cells) if "nbgrader" in c.metadata}
    for earlier in reversed(master[:index]):
        grade_id = earlier.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in present:
            return present[grade_id] + 1
    return 0
