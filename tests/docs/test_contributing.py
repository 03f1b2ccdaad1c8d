"""CONTRIBUTING.md's walk, done: its blocks are pasted into a copy of the repository, and its last commands run there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from autograder import ROOT
from autograder.course.build import with_bin_on_path
from autograder.course.labs import find_lab, labs

LAB = find_lab("lab4")
WALK = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## A walk")[1].split("\n## ")[0]
STEP = re.compile(r"^\*\*\d\. [^*]*\*\*: [^`]*`([\w/]+\.py)`.*?^```python\n(.*?)^```$", re.M | re.S)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("walk") / "course"
    others = tuple(f"{kind}/{lab.name}/" for lab in labs() if lab != LAB for kind in ("solutions", "labs"))
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith(others):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    for name, code in STEP.findall(WALK):
        assert (root / name).is_file(), f"{name} does not exist"
        with open(root / name, "a", encoding="utf-8") as file:
            file.write(f"\n\n{code}")
    return root


def run(copy, *command):
    environment = with_bin_on_path() | {"PYTHONPATH": str(copy), "LAB_BUDGET": "ci"}
    return subprocess.run([sys.executable, "-m", *command], cwd=copy, env=environment, capture_output=True, text=True)


def test_the_walk_has_all_its_steps():
    files = [name for name, _ in STEP.findall(WALK)]
    assert files == [
        "utils/checks/lab4.py",
        "autograder/exercises/lab4.py",
        "autograder/exercises/lab4_mutants.py",
        "solutions/lab4_mnist_cfg/lab4_mnist_cfg.py",
        "tests/lab4/test_oracles.py",
    ]


def test_the_last_commands_do_what_the_page_says(copy):
    commands = re.search(r"```sh\n(.*?)```", WALK, re.S).group(1).split("\n")
    for command in filter(None, commands):
        done = run(copy, *command.split())
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    said = " ".join(done.stdout.split())
    assert "not_squared" in said and "inverted" in said and "two_logs" in said.replace("two logs", "two_logs"), said
    student = nbformat.read(copy / "labs" / LAB.name / f"{LAB.name}.ipynb", as_version=4)
    answer = next(cell for cell in student.cells if "# GRADED: lab4.log_snr" in cell.source)
    assert "NotImplementedError" in answer.source and "(alpha / beta)" not in answer.source


def test_its_oracle_passes(copy):
    done = run(copy, "pytest", "-p", "no:cacheprovider", "tests/lab4/test_oracles.py", "-k", "decibels")
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout[-3000:]


def test_the_pages_blocks_are_python():
    """The shorter blocks of the page are shortened with …; the walk's are whole."""
    for _, code in STEP.findall(WALK):
        assert "…" not in code
        compile(code, "block", "exec")
