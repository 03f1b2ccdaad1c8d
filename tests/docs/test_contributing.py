"""CONTRIBUTING.md's walk, done in a copy of the repository: the scaffold as it is, then with the page's blocks."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import ROOT
from autograder.course.labs import find_lab
from autograder.gradebook.nbgrader import with_bin_on_path

LAB = find_lab("lab4")
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
WALK = PAGE.split("## Add an exercise")[1].split("\n## ")[0]
BLOCKS = re.findall(r"^```python\n(.*?)^```$", WALK, re.M | re.S)
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```$", WALK, re.M | re.S) for line in block.splitlines() if line
]
FILES = {
    "public": Path("utils/checks/lab4/log_snr.py"),
    "hidden": Path("autograder/exercises/lab4/log_snr.py"),
    "mutants": Path("autograder/exercises/lab4/log_snr_mutants.py"),
    "test": Path("tests/exercises/lab4/test_log_snr.py"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The repository's files, as git lists them."""
    root = tmp_path_factory.mktemp("walk") / "course"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    return root


def run(copy: Path, command: str) -> str:
    """Run one of the page's commands in the copy, and return what it printed."""
    program, *words = command.split()
    environment = with_bin_on_path() | {"PYTHONPATH": str(copy), "LAB_BUDGET": "ci"}
    done = subprocess.run(
        [sys.executable, "-m", program, *words], cwd=copy, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def replace_after(path: Path, marker: str, block: str, drop: str = "") -> None:
    """Keep a file up to a marker, less its lines that match `drop`, and append a block."""
    kept = path.read_text(encoding="utf-8").split(marker)[0]
    if drop:
        kept = re.sub(drop, "", kept, flags=re.M)
    path.write_text(f"{kept}{block}", encoding="utf-8")


@pytest.mark.slow
def test_the_walk(copy):
    scaffold, *proof = COMMANDS
    assert scaffold.startswith("autograder new exercise") and len(BLOCKS) == 5
    run(copy, scaffold)
    for command in proof:  # the example, which asks for the identity
        run(copy, command)
    public, hidden, mutants, answer, test = BLOCKS
    own_import = r"^from utils\.checks\.lab4\.log_snr import .*\n"
    replace_after(copy / FILES["public"], "RUNS = {", public)
    replace_after(copy / FILES["hidden"], "MISTAKES = [", hidden, own_import)
    replace_after(copy / FILES["mutants"], 'right("times_one"', mutants)
    replace_after(copy / FILES["test"], "def test_", test, own_import)
    source = copy / "solutions" / LAB.name / f"{LAB.name}.py"
    text = source.read_text(encoding="utf-8")
    start = text.index('# %% answer="lab4.log_snr"')
    end = text.index('# %% check="lab4.log_snr"')
    source.write_text(f"{text[:start]}{answer}\n{text[end:]}", encoding="utf-8")
    said = [run(copy, command) for command in proof]
    matrix = " ".join(said[1].split())
    for word in ("not_squared", "inverted", "two_logs", "0 misses"):
        assert word in matrix, matrix
    student = nbformat.read(copy / "labs" / LAB.name / f"{LAB.name}.ipynb", as_version=4)
    assert any("log_snr" in cell.source and "NotImplementedError" in cell.source for cell in student.cells)


@pytest.mark.slow
def test_a_new_lab_builds_validates_and_passes_its_tests(copy):
    run(copy, "autograder new lab lab5_latents")
    run(copy, "autograder build lab5")
    assert "0 misses" in run(copy, "autograder validate lab5")
    run(copy, "pytest tests/exercises/lab5")
    assert (copy / "labs" / "lab5_latents" / "lab5_latents.ipynb").exists()


def test_the_page_is_short():
    assert len(PAGE.splitlines()) <= 200
