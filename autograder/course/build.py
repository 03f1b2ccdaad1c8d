"""`make labs` and `make execute`: generate the notebooks from the percent sources, and execute them.

The instructor notebook keeps the outputs of its last execution where its cells have not changed.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import ROOT
from autograder.course.cells import BOOTSTRAP_END, CODE_STUB, HAND_IN_TAGS, TEXT_STUB
from autograder.course.freshness import is_fresh, remember_fresh
from autograder.course.labs import Lab
from autograder.course.source import read_source
from autograder.errors import BuildError

FORBIDDEN = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "END HIDDEN", "utils.checks.graded")


def build_lab(lab: Lab, check: bool = False) -> list[Path]:
    """Generate the notebooks of one lab, unless neither its source nor the builder has changed since the last time.

    Args:
        lab: the lab to build.
        check: change nothing.

    Returns:
        The notebooks that were written, or with `check` those that are stale.

    Raises:
        SourceError: the source breaks a convention.
        BuildError: nbgrader cannot make the student's notebook, or a solution would reach students.
    """
    if is_fresh(lab):
        return []
    instructor = with_outputs(read_source(lab), lab.solution)
    student = student_notebook(lab, instructor)
    require_clean(lab, student)
    changed = write(lab.solution, nbformat.writes(instructor) + "\n", check)
    changed += write(lab.student, nbformat.writes(student) + "\n", check)
    if not check or not changed:
        remember_fresh(lab)
    return changed


def write(path: Path, text: str, check: bool) -> list[Path]:
    """Write a file if its text changed, and with `check` only say so. Return its path if it changed."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return []
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [path]


def with_outputs(notebook: NotebookNode, old_path: Path) -> NotebookNode:
    """Copy the outputs of the last execution to cells that are unchanged, apart from lines that every lab shares."""
    if not old_path.exists():
        return notebook
    old = {cell.id: cell for cell in nbformat.read(old_path, as_version=4).cells}
    for cell in notebook.cells:
        before = old.get(cell.id)
        if cell.cell_type == "code" and before is not None and own_part(before) == own_part(cell):
            cell.outputs, cell.execution_count = before.get("outputs", []), before.get("execution_count")
    return notebook


def own_part(cell: NotebookNode) -> str:
    """Return what the lab's author wrote of a cell, without the lines by which a set-up cell finds the course."""
    return cell.source.rpartition(BOOTSTRAP_END)[2]


def student_notebook(lab: Lab, instructor: NotebookNode) -> NotebookNode:
    """Return what nbgrader's generate_assignment makes of the instructor notebook: its steps, without its start."""
    from nbgrader import preprocessors as steps  # a second, which only builders pay
    from traitlets.config import Config

    config = Config()
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    notebook = copy.deepcopy(instructor)
    resources: dict[str, object] = {}
    for step in (
        steps.LockCells,
        steps.ClearSolutions,
        steps.ClearOutput,
        steps.CheckCellMetadata,
        steps.ComputeChecksums,
        steps.ClearHiddenTests,
        steps.ClearMarkScheme,
        steps.ComputeChecksums,
        steps.CheckCellMetadata,
    ):
        try:
            notebook, resources = step(config=config).preprocess(notebook, resources)
        except Exception as error:  # nbgrader raises RuntimeError, ValueError and errors of its own
            raise BuildError(f"nbgrader's {step.__name__} failed for {lab.name}: {error}") from error
    notebook.metadata = instructor.metadata.copy()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def require_clean(lab: Lab, student: NotebookNode) -> None:
    """Check that no solution and no hidden test reaches a student.

    Raises:
        BuildError: one would.
    """
    for cell in student.cells:
        for word in FORBIDDEN:
            if word in cell.source:
                raise BuildError(f"{lab.name}: '{word}' would reach the students:\n{cell.source}")


def execute(lab: Lab) -> tuple[Path, str]:
    """Run the instructor notebook with a Jupyter kernel, at `LAB_BUDGET` (cpu by default), and keep its outputs.

    Returns:
        The notebook, and the budget at which it ran.

    Raises:
        BuildError: a cell raises an error.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = read_source(lab)
    os.environ.setdefault("LAB_BUDGET", "cpu")
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    client = NotebookClient(
        notebook,
        timeout=3600,
        kernel_name="python3",
        skip_cells_with_tag=HAND_IN_TAGS[0],
        coalesce_streams=True,  # a progress bar is one line, not three hundred
        resources={"metadata": {"path": str(ROOT)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise BuildError(f"{lab.name}: {error}") from error
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("execution", None)
            if output.output_type == "stream" and output.text.endswith("\r"):
                output.text = output.text.rstrip(" \r")  # the line of spaces that a finished progress bar leaves
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.output_type != "stream" or o.text.strip()]
    notebook.metadata = read_source(lab).metadata
    lab.solution.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return lab.solution, os.environ["LAB_BUDGET"]
