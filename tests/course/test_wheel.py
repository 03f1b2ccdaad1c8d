"""The students' wheel promises wide ranges, so that Colab keeps its own torch: labs run with both ends of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.course.cells import HAND_IN_TAGS, role_of
from autograder.course.labs import find_lab
from autograder.course.publish import release
from autograder.course.source import read_source

ENDS = {
    "oldest": ["torch==2.4.1", "torchvision==0.19.1", "numpy==2.0.2"],
    "newest": ["torch", "torchvision", "numpy"],
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of a release made now."""
    target = tmp_path_factory.mktemp("release")
    release(target)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module", params=ENDS.values(), ids=ENDS)
def python(request, wheel, tmp_path_factory) -> Path:
    """A Python that has the wheel with the packages of one end, and no course around it."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    program = folder / "bin" / "python"
    packages = [str(wheel), *request.param, "ipykernel", "nbclient"]
    subprocess.run([program, "-m", "pip", "install", "--quiet", *packages], check=True)
    return program


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["lab1", "lab4"])
def test_a_solved_lab_runs_with_the_wheel(name, python, tmp_path):
    notebook = read_source(find_lab(name))
    tests_and_last_cells = [
        cell
        for cell in notebook.cells
        if role_of(cell) == "test" or set(cell.metadata.get("tags", [])) & set(HAND_IN_TAGS)
    ]  # the former need the grader, the latter a saved notebook
    notebook.cells = [cell for cell in notebook.cells if cell not in tests_and_last_cells]
    nbformat.write(notebook, tmp_path / "lab.ipynb")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"LAB_BUDGET": "ci"}
    command = [python, "-m", "jupyter", "execute", "--timeout=1800", "--output=done.ipynb", "lab.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
