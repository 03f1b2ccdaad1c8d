"""The instructor's page: its commands, as they stand there, in a clean copy of the repository."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from autograder import ROOT
from autograder.course.labs import find_lab
from autograder.demo import CLASS, as_colab_saves
from autograder.running.bubblewrap import bubblewrap

pytestmark = pytest.mark.sandbox  # without bubblewrap they run, too

PAGE = ROOT / "docs" / "instructor.md"
# Commands that this test leaves to others, and who runs them.
ELSEWHERE = {
    "make sandbox": ".ci/run",
    "make demo": "tests/cli and tests/gradebook run the same commands on the same class",
    "make course": "tests/browser",
}
LAB = find_lab("lab4")


def commands():
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder in which an instructor works."""
    return tmp_path_factory.mktemp("instructor")


@pytest.fixture(scope="module")
def played(folder):
    """Run the page. `git clone` copies the working tree; `make` borrows this environment instead of building one."""
    course, venv = folder / "guidance-labs", Path(sys.prefix)
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    make = shutil.which("make")
    (bin_folder / "make").write_text(f'#!/bin/sh\nexec {make} --assume-old="{venv}/.ready" VENV="{venv}" "$@"\n')
    (bin_folder / "make").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "LAB_SECRET"} | {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(course),
        "NO_COLOR": "1",
    }
    done = {}
    for command in commands():
        words = shlex.split(command)
        if command in ELSEWHERE or words[0] in ("cd", "."):
            continue
        if words[:2] == ["git", "clone"]:
            copy_tree(course)
            hand_in(course)
            continue
        if words[0] == "autograder" and words[1] in ("grade", "grade-one") and bubblewrap() is None:
            command += " --sandbox none"
        result = subprocess.run(
            ["bash", "-c", command], cwd=course, env=environment, capture_output=True, text=True, timeout=1800
        )
        assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
        done[command.removesuffix(" --sandbox none")] = result.stdout
    return done


def copy_tree(course):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (course / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, course / name)
    os.symlink(sys.prefix, course / ".venv")


STUDENTS = {"lovelaceada_101": "ada", "didodia_102": "dia", "halehal_103": "ada", "graceg_104": "ada"}
LATE = ("halehal", "graceg")


def hand_in(course):
    """Write what Canvas exports, submissions and gradebook.

    Ada is in time, Dia has a known mistake, Hal is late, and so is Grace, who has an extension.
    """
    with zipfile.ZipFile(course / "submissions.zip", "w") as archive:
        for student, who in STUDENTS.items():
            name, number = student.split("_")
            late = "LATE_" if name in LATE else ""
            text = nbformat.v4.writes(as_colab_saves(CLASS[who](LAB)))
            archive.writestr(f"{name}_{late}{number}_9{number}_lab4.ipynb", text)
    rows = "".join(f'"{s.split("_")[0]}",{s.split("_")[1]},,{s},Tue,\n' for s in STUDENTS)
    head = "Student,ID,SIS User ID,SIS Login ID,Section,Lab 4 (77)\n    Points Possible,,,,,18\n"
    (course / "canvas-gradebook.csv").write_text(head + rows)


def test_the_page_has_the_whole_way():
    text = "\n".join(commands())
    for step in (
        "git clone",
        "make labs",
        "make release",
        "autograder grade lab4",
        "make course",
        "autograder collect",
        "autograder export",
        "nbgrader export",
    ):
        assert step in text
    assert set(ELSEWHERE) <= set(commands()), "a command that nobody runs any more"


@pytest.mark.slow
def test_the_address_is_set_once_and_everywhere(played, folder):
    student = folder / "guidance-labs" / "dist" / "student"
    notebook = (student / "labs" / LAB.name / f"{LAB.name}.ipynb").read_text()
    assert "github.com/my-university/guidance-labs/releases/download" in notebook
    assert "colab.research.google.com/github/my-university/guidance-labs/" in notebook
    assert "guidance-labs/student" not in notebook
    assert list(student.glob("*.whl"))


@pytest.mark.slow
def test_collecting_says_what_it_took(played):
    said = next(text for command, text in played.items() if command.startswith("autograder collect"))
    assert "4 accepted, 0 skipped" in said and "halehal_103" in said and "those of Canvas" in said


@pytest.mark.slow
def test_grading_gives_each_student_the_points_they_earned(played, folder):
    with open(folder / "guidance-labs" / "grades.csv") as file:
        rows = {row["student_id"].split("_")[0]: row for row in csv.DictReader(file)}
    assert float(rows["lovelaceada"]["score"]) == 14 and float(rows["lovelaceada"]["late_submission_penalty"]) == 0
    assert float(rows["didodia"]["score"]) == 10
    late = rows["halehal"]
    assert float(late["raw_score"]) == 14 and float(late["score"]) == 0  # half a day late, and it costs all
    extended = rows["graceg"]  # as late, with an extension of two days
    assert extended["timestamp"] == late["timestamp"] and float(extended["score"]) == 14


@pytest.mark.slow
def test_the_gradebook_has_the_names_of_the_archive(played, folder):
    with open(folder / "guidance-labs" / "grades.csv") as file:
        assert {row["last_name"] for row in csv.DictReader(file)} == {"lovelaceada", "didodia", "halehal", "graceg"}


@pytest.mark.slow
def test_grading_says_who_has_an_extension(played):
    said = played["autograder regrade lab4"]
    assert "Extensions: didodia_102 (+48 h), graceg_104 (+48 h)" in said


@pytest.mark.slow
def test_the_lms_gets_the_same_grades(played, folder):
    exports = folder / "guidance-labs" / "exports"
    with open(exports / f"{LAB.name}-canvas.csv") as file:
        points = {row["ID"]: row["Lab 4 (77)"] for row in csv.DictReader(file)}
    assert points == {"": "18", "101": "14", "102": "10", "103": "0", "104": "14"}
    with open(exports / f"{LAB.name}-grades.csv") as file:
        assert [row["points"] for row in csv.DictReader(file)] == ["10", "14", "0", "14"]
    results = json.loads((exports / f"{LAB.name}-gradescope" / "halehal_103" / "results.json").read_text())
    assert results["score"] == 0 and "late" in results["output"]
    assert (exports / f"{LAB.name}-gradescope-autograder.zip").exists()


@pytest.mark.slow
def test_a_second_look_runs_nothing_and_says_the_same(played):
    assert "14 of 14 automatic points" in played[next(c for c in played if c.startswith("autograder grade-one"))]
    assert "4 of 4 submissions graded, 0 of them run now" in played["autograder regrade lab4"]


@pytest.mark.slow
def test_feedback_pages_are_there(played, folder):
    for student in STUDENTS:
        page = folder / "guidance-labs" / "feedback" / student / LAB.name / f"{LAB.name}.html"
        text = page.read_text(encoding="utf-8")
        assert "lab4.cfg_train_loss" in text and "written answers worth 4 more have not been graded yet" in text
        late = "points were deducted because the submission was late" in text
        assert late == student.startswith("halehal")


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name
)
def test_links_and_make_targets_of_the_pages_exist(page):
    text = re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.S)
    for link in re.findall(r"\]\(([^)#\s]+)", text):
        if not link.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    mentioned = set(re.findall(r"(?:`|^ {4}|^)make ([a-z][a-z-]+)", text, re.M))
    assert mentioned <= targets, mentioned - targets


def test_nothing_names_the_machine_it_was_written_on():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    homes = re.compile(r"(?<![\w}])/(work|root)/")  # at the start of a path; /tmp/work is inside the sandbox
    for name in listed:
        path = ROOT / name
        if path.is_file() and path.suffix in (".md", ".py", ".toml", ".yml", ".yaml", ".ipynb", ".json", ""):
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert not homes.search(text), name
