"""The page about nbgrader's exchange: its commands, as they stand there, with an exchange in a folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import ROOT
from autograder.demo import CLASS
from autograder.running.bubblewrap import bubblewrap
from tests.docs.test_instructor import copy_tree
from tests.lab4_class import KEPT, LAB, role_of

PAGE = ROOT / "docs" / "exchange.md"
pytestmark = pytest.mark.sandbox  # without bubblewrap they run, too
ELSEWHERE = {"make release": "tests/docs/test_instructor.py"}


def steps():
    """Yield who runs a command, "student" or "instructor", and the command."""
    for who, block in re.findall(r"^```sh ?(\w*)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        yield from ((who or "instructor", line) for line in block.splitlines())


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Run the page. The student answers between `fetch_assignment` and `submit`."""
    folder = tmp_path_factory.mktemp("hub")
    places = {"instructor": folder / "course", "student": folder / "home"}
    copy_tree(places["instructor"])
    places["student"].mkdir()
    (folder / "exchange").mkdir()
    (folder / "exchange").chmod(0o777)
    hub = folder / "etc"  # what /etc/jupyter is on the hub
    hub.mkdir()
    (hub / "nbgrader_config.py").write_text(
        f'c = get_config()\nc.Exchange.root = "{folder / "exchange"}"\nc.CourseDirectory.course_id = "guidance-labs"\n'
    )
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "JUPYTER_CONFIG_PATH": str(hub),
        "PYTHONPATH": str(places["instructor"]),
        "NO_COLOR": "1",
    }
    environment.pop("LAB_SECRET", None)  # the course makes its own
    said = {}
    for who, command in steps():
        if command in ELSEWHERE:
            continue
        if command.startswith("nbgrader submit"):
            answer(places["student"] / LAB.name / f"{LAB.name}.ipynb")
        if command.startswith("autograder grade") and bubblewrap() is None:
            command += " --sandbox none"
        done = subprocess.run(
            ["bash", "-c", command], cwd=places[who], env=environment, capture_output=True, text=True, timeout=1800
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        said[command.removesuffix(" --sandbox none")] = done.stdout + done.stderr
    return places, said


def answer(path):
    """Answer the fetched notebook; figures and trainings are left out."""
    assert path.exists()
    notebook = CLASS["ada"](LAB)
    notebook.cells = [cell for cell in notebook.cells if role_of(cell) in KEPT or cell.cell_type == "markdown"]
    nbformat.write(notebook, path)


@pytest.mark.slow
def test_what_was_submitted_is_graded(played):
    _, said = played
    assert "lab4_mnist_cfg" in said["nbgrader list"]
    assert "1 of 1 submissions graded" in said["autograder grade lab4"] and "14 / 14" in said["autograder grade lab4"]


@pytest.mark.slow
def test_the_student_gets_the_page(played):
    places, _ = played
    (page,) = (places["student"] / LAB.name / "feedback").rglob("*.html")
    assert "lab4.cfg_train_loss" in page.read_text(encoding="utf-8")
