"""`make labs` and `make execute`: everything generated, from the percent sources.

The instructor notebook keeps the outputs of its last execution where its cells have not changed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import ROOT
from autograder.course.cells import BOOTSTRAP_END, HAND_IN_TAGS
from autograder.course.labs import Lab, labs
from autograder.course.source import read_source

FORBIDDEN = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "END HIDDEN", "utils.checks.graded")


def build(check: bool = False) -> int:
    """Regenerate all notebooks. With `check`, change nothing and exit 1 if one is stale."""
    stale = []
    for lab in labs():
        instructor = with_outputs(read_source(lab), lab.solution)
        stale += write(lab.solution, nbformat.writes(instructor) + "\n", check)
        student = student_notebook(lab, instructor)
        require_clean(lab, student)
        stale += write(lab.student, nbformat.writes(student) + "\n", check)
    if not stale:
        print("all notebooks are fresh")
        return 0
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
    return 1 if check else 0


def write(path: Path, text: str, check: bool) -> list[Path]:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return []
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [path]


def with_outputs(notebook: NotebookNode, old_path: Path) -> NotebookNode:
    """The outputs of the last execution, for the cells that are the same but for the lines that every lab shares."""
    if not old_path.exists():
        return notebook
    old = {cell.id: cell for cell in nbformat.read(old_path, as_version=4).cells}
    for cell in notebook.cells:
        before = old.get(cell.id)
        if cell.cell_type == "code" and before is not None and own_part(before) == own_part(cell):
            cell.outputs, cell.execution_count = before.get("outputs", []), before.get("execution_count")
    return notebook


def own_part(cell: NotebookNode) -> str:
    """What the lab's author wrote of a cell: a set-up cell prints the same, however the course was found."""
    return cell.source.rpartition(BOOTSTRAP_END)[2]


def student_notebook(lab: Lab, instructor: NotebookNode) -> NotebookNode:
    """What nbgrader's generate_assignment makes of the instructor notebook, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source", lab.name, f"{lab.name}.ipynb")
        source.parent.mkdir(parents=True)
        nbformat.write(instructor, source)
        command = [
            sys.executable, "-m", "nbgrader", "generate_assignment", lab.name, "--no-db", "--force", "--create",
            f"--CourseDirectory.source_directory={source.parent.parent}",
            f"--CourseDirectory.release_directory={folder}/release",
            f"--CourseDirectory.db_url=sqlite:///{folder}/gradebook.db",
            "--log-level=WARN",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=with_bin_on_path())
        if done.returncode != 0:
            raise RuntimeError(f"nbgrader generate_assignment failed for {lab.name}:\n{done.stderr[-3000:]}")
        notebook = nbformat.read(Path(folder, "release", lab.name, f"{lab.name}.ipynb"), as_version=4)
    notebook.metadata = instructor.metadata.copy()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def with_bin_on_path() -> dict[str, str]:
    """nbgrader calls `alembic` by name: the environment's programs must be found without activating it."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def require_clean(lab: Lab, student: NotebookNode) -> None:
    """No solution and no hidden test reaches a student."""
    for cell in student.cells:
        for word in FORBIDDEN:
            if word in cell.source:
                raise RuntimeError(f"{lab.name}: '{word}' would reach the students:\n{cell.source}")


def execute(lab: Lab) -> int:
    """Run the instructor notebook with a Jupyter kernel, at `LAB_BUDGET` (cpu by default), and keep its outputs."""
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
        print(f"{lab.name}: {error}", file=sys.stderr)
        return 1
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":  # what is left of a finished progress bar is a line of spaces
            cell.outputs = [o for o in cell.outputs if o.output_type != "stream" or o.text.strip()]
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("execution", None)
    notebook.metadata = read_source(lab).metadata
    lab.solution.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    print(f"executed {lab.solution.relative_to(ROOT)} at the budget {os.environ['LAB_BUDGET']}")
    return 0
