"""The cells of a notebook: how each kind is made, and how its role is read back."""

from __future__ import annotations

import hashlib
import re

import nbformat
from nbformat import NotebookNode

from autograder.course.labs import Lab, wheel_address
from autograder.errors import SourceError
from utils.checks.exercise import Exercise

NAME = r"[a-z0-9]+\.[a-z0-9_]+"  # of an exercise, as every part of the grader finds it in a notebook
MARKER = re.compile(r"""(?:(?:#|<!--) (?:GRADED|TEST): |check\(["'])(""" + NAME + ")")

ROLES = ("setup", "definitions", "illustration")


BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


# What students find in place of an answer.
CODE_STUB = "# Your code here.\nraise NotImplementedError()"
TEXT_STUB = "*Your answer here.*"


CHECK = 'check("{name}")'


# Students keep the last line: with it, nbgrader's Validate runs the check.
TEST = """\
# TEST: {name} ({points:g} points). Leave this cell as it is: the grader replaces it by its own.
import utils.checks

### BEGIN HIDDEN TESTS
# NBVAL_CHECK_OUTPUT
utils.checks.graded("{name}")
### END HIDDEN TESTS
utils.checks.test("{name}")"""


# The first lines of every set-up cell. They install only what is missing: a checkout around the notebook comes first,
# then what is installed, then the release. Some machines have another package called `utils`; it is not taken for ours.
BOOTSTRAP = """\
import pathlib
import subprocess
import sys

course = [pathlib.Path.cwd(), *pathlib.Path.cwd().parents]
course = next((str(folder) for folder in course if (folder / "utils" / "checks").is_dir()), None)
if course:  # first, or a file utils.py beside the notebook would be imported instead
    sys.path[:] = [course, *(folder for folder in sys.path if folder != course)]
if "utils.checks" not in sys.modules:
    sys.modules.pop("utils", None)  # another `utils`, imported before this cell
try:
    import utils.checks
except ImportError:  # a bare machine, such as Colab's
    foreign = pathlib.Path(getattr(sys.modules.get("utils"), "__file__", None) or "/").resolve()
    foreign = foreign.parent if foreign.name == "__init__.py" else foreign
    if not course and foreign.parent == pathlib.Path.cwd().resolve():
        raise RuntimeError(
            f"{{foreign}} hides the course's package `utils`. "
            f"Rename your {{foreign.name}}, restart the kernel, and run this cell again."
        ) from None
    wheel = "{wheel}"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1", course or wheel]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-600:])
        raise RuntimeError(
            "The course's files are not on this machine, and they could not be downloaded from "
            f"{{wheel}}. Connect to the network and run this cell again, or start Jupyter inside the course's folder."
        ) from None
    sys.modules.pop("utils", None)
    del foreign, wheel, install, done
del course

from utils.checks import check, check_all
from utils.submission import make_submission

"""


BOOTSTRAP_END = BOOTSTRAP.strip().splitlines()[-1]


# The last cells of every lab. Neither the grader nor a test runs them.
HAND_IN = """\
---
# Hand in

1. *Kernel → Restart Kernel and Run All Cells*, then **save** (in Colab: *Runtime → Restart session and run all*).
   Or run cell by cell and skip what takes long: that is not graded.
2. Run the next cell. It says what is open and whether a cell is damaged.
3. Run the last cell. It writes one zip with your notebook and a PDF of it: open the PDF, then hand in the zip."""


HAND_IN_CELLS = ('check_all("{lab}")', 'make_submission("{lab}");')  # the semicolon: no output of its own


HAND_IN_TAGS = ["hand-in", "nbval-skip"]


BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})\n\n"


def answer_cell(cell: NotebookNode, entry: Exercise) -> NotebookNode:
    """Return the answer cell of an exercise, with the line that names it.

    Raises:
        SourceError: the solution is not marked, or the marks do not come in pairs.
    """
    if entry.manual:
        # Comments, because people read this cell: nbgrader clears the text between them.
        source = f"<!-- GRADED: {entry.name} -->\n<!-- {BEGIN[4:]} -->\n{cell.source}\n<!-- {END[4:]} -->"
        return new_cell("markdown", source, entry.grade_id, grade=True, solution=True, points=entry.points)
    marks = [line.strip() for line in cell.source.splitlines() if line.strip() in (BEGIN, END)]
    if not marks or marks != [BEGIN, END] * (len(marks) // 2):
        raise SourceError(
            f"the answer to {entry.name} needs pairs of lines {BEGIN} and {END}, and has {marks or 'none'}"
        )
    return new_cell("code", f"# GRADED: {entry.name}\n{cell.source}", entry.answer_id, solution=True)


def check_cells(entry: Exercise) -> list[NotebookNode]:
    """Return the two cells after an answer: the student's check, and the graded test."""
    check = nbformat.v4.new_code_cell(CHECK.format(name=entry.name), metadata={"guidance_labs": {"role": "check"}})
    test = TEST.format(name=entry.name, points=entry.points)
    return [check, new_cell("code", test, entry.grade_id, grade=True, locked=True, points=entry.points)]


def hand_in_cells(lab: Lab) -> list[NotebookNode]:
    """Return the last cells of a lab, with which students submit it."""
    metadata = {"guidance_labs": {"role": "check"}, "tags": HAND_IN_TAGS}
    code = [nbformat.v4.new_code_cell(source.format(lab=lab.short), metadata=metadata) for source in HAND_IN_CELLS]
    return [nbformat.v4.new_markdown_cell(HAND_IN), *code]


def role_cell(cell: NotebookNode, role: str) -> NotebookNode:
    """Return a set-up, definitions or illustration cell."""
    new = plain_cell(cell)
    new.metadata["guidance_labs"] = {"role": role}
    if role in ("setup", "definitions"):
        if role == "setup":
            new.source = BOOTSTRAP.format(wheel=wheel_address()) + new.source
        # Locked: nbgrader restores the original, so a damaged set-up does not cost a student the whole lab.
        name = f"{role}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}" if role != "setup" else "setup"
        new.metadata["nbgrader"] = nbgrader_metadata("code", name, locked=True)
    return new


def hide_source(cell: NotebookNode, title: str) -> NotebookNode:
    """Fold the code of a cell away, under a title: JupyterLab reads the metadata, Colab makes a form of it."""
    cell.source = f"# @title {title}\n{cell.source}"
    cell.metadata["jupyter"] = {"source_hidden": True}
    cell.metadata["cellView"] = "form"
    return cell


def is_hidden(cell: NotebookNode) -> bool:
    """Return whether the code of a cell is folded away."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden", False))


def plain_cell(cell: NotebookNode) -> NotebookNode:
    """Return a cell without a role: text, or code that students may change."""
    make = nbformat.v4.new_markdown_cell if cell.cell_type == "markdown" else nbformat.v4.new_code_cell
    return make(cell.source, metadata={"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {})


def new_cell(kind: str, source: str, grade_id: str, **options) -> NotebookNode:
    """Return a cell that nbgrader knows; `options` are those of `nbgrader_metadata`."""
    make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
    return make(source, metadata={"nbgrader": nbgrader_metadata(kind, grade_id, **options)})


def nbgrader_metadata(kind: str, grade_id: str, grade=False, solution=False, locked=False, points=None) -> dict:
    """Return the metadata by which nbgrader knows a cell."""
    data = {
        "cell_type": kind,
        "grade": grade,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    return data | ({"points": points} if points is not None else {})


def give_ids(notebook: NotebookNode) -> None:
    """Give cells ids that depend only on the text, so that a regenerated notebook is equal byte for byte."""
    taken: set[str] = set()
    for cell in notebook.cells:
        base = (
            cell.metadata.get("nbgrader", {}).get("grade_id") or hashlib.sha256(cell.source.encode()).hexdigest()[:10]
        )
        name, copies = base, 1
        while name in taken:
            copies += 1
            name = f"{base}-{copies}"
        taken.add(name)
        cell.id = name


def role_of(cell: NotebookNode) -> str:
    """Return setup, definitions, illustration, check, answer, test, written, or '' for everything else."""
    if data := cell.metadata.get("nbgrader"):
        if data.get("grade"):
            return "written" if data.get("solution") else "test"
        if data.get("solution"):
            return "answer"
    return cell.metadata.get("guidance_labs", {}).get("role", "")


def exercise_of(cell: NotebookNode) -> str | None:
    """Return the exercise that an answer, test or check cell belongs to, from the marker in its source."""
    match = MARKER.search(cell.source)
    return match.group(1) if match else None


def named_exercise_of(cell: NotebookNode) -> str:
    """Return the exercise that a cell belongs to.

    Raises:
        ValueError: the cell names no exercise.
    """
    name = exercise_of(cell)
    if name is None:
        raise ValueError(f"this cell names no exercise: {cell.source[:60]!r}")
    return name
