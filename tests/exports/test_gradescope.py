"""The zip with which Gradescope grades: it is run here as Gradescope's documentation describes."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import nbformat
import pytest

from autograder.cli import main
from autograder.course.releases import archive_release
from autograder.demo import CLASS
from autograder.exports.gradescope_zip import write_autograder
from autograder.running.bubblewrap import bubblewrap
from tests.gradebook.small_class import LAB
from tests.intake.archives import own_zip

pytestmark = pytest.mark.sandbox  # without bubblewrap they run, too

LOSS = "lab4.cfg_train_loss"


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    """A folder laid out as Gradescope's documentation says, with our environment: setup.sh needs a network."""
    folder = tmp_path_factory.mktemp("gradescope")
    sandbox = "bwrap" if bubblewrap() else "none"
    words = ["--to", "gradescope-autograder", "--out", str(folder / "autograder.zip"), "--sandbox", sandbox]
    assert main(["export", "lab4", *words]) == 0
    with zipfile.ZipFile(folder / "autograder.zip") as archive:
        archive.extractall(folder / "source")
        modes = {e.filename: e.external_attr >> 16 for e in archive.infolist()}
    assert modes["setup.sh"] & 0o111 and modes["run_autograder"] & 0o111
    shutil.copy(folder / "source" / "run_autograder", folder / "run_autograder")
    return folder


def run_autograder(container, submission: dict[str, bytes]):
    """Run Gradescope's autograder on these files; return the process and its results.json."""
    shutil.rmtree(container / "submission", ignore_errors=True)
    (container / "submission").mkdir()
    for name, data in submission.items():
        (container / "submission" / name).write_bytes(data)
    environment = {k: v for k, v in os.environ.items() if k not in ("LAB_SECRET", "PYTHONPATH")}
    done = subprocess.run(
        ["bash", str(container / "run_autograder")],
        cwd=container,
        env=environment | {"AUTOGRADER": str(container), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    return done, json.loads((container / "results" / "results.json").read_text())


@pytest.mark.parametrize(
    ("who", "zipped", "points"), [pytest.param("ada", False, 14, marks=pytest.mark.slow), ("dia", True, 10)]
)
def test_gradescope_grades_a_notebook_and_the_zip_of_make_submission(who, zipped, points, container):
    notebook = nbformat.v4.writes(CLASS[who](LAB)).encode()
    submission = {f"{LAB.name}.zip": own_zip({f"{LAB.name}.ipynb": notebook})} if zipped else {"my lab.ipynb": notebook}
    done, found = run_autograder(container, submission)
    assert done.returncode == 0, done.stderr[-2000:]
    assert found["score"] == sum(t["score"] for t in found["tests"]) == points
    assert all(0 <= t["score"] <= t["max_score"] and t["visibility"] == "visible" for t in found["tests"])
    loss = next(t for t in found["tests"] if t["name"].startswith(f"{LOSS}: "))
    assert who == "ada" or (loss["score"] == 0 and loss["output"].startswith("time_out_of_range: "))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("x.ipynb", b"{", "is not JSON"),
        pytest.param("essay.docx", b"x", "neither a notebook nor a zip", marks=pytest.mark.slow),
    ],
)
def test_gradescope_explains_other_files(name, data, said, container):
    done, found = run_autograder(container, {name: data})
    assert done.returncode == 0 and found["score"] == 0 and said in found["output"]


def test_the_zip_contains_what_it_needs_and_no_more(container):
    names = {p.relative_to(container / "source").as_posix() for p in (container / "source").rglob("*") if p.is_file()}
    assert {"setup.sh", "run_autograder", ".secret", "pyproject.toml", f"labs/{LAB.name}/{LAB.name}.ipynb"} <= names
    assert not [
        n
        for n in names
        if n.startswith(("tests/", "submitted/", "store/", "demo/")) or n.endswith(("gradebook.db", "_mutants.py"))
    ]
    own = (container / "source" / ".secret").read_bytes()
    assert len(own) == 64 and own.decode() != os.environ.get("LAB_SECRET")
    assert subprocess.run(["bash", "-n", str(container / "source" / "setup.sh")]).returncode == 0


def test_the_zip_contains_the_archived_releases(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path / "elsewhere"))
    kept = archive_release(LAB)
    write_autograder(LAB, tmp_path / "autograder.zip", "bwrap")
    with zipfile.ZipFile(tmp_path / "autograder.zip") as out:
        assert f"archive/{LAB.name}/{kept.name}" in out.namelist()
