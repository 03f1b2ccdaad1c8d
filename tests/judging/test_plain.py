"""Plain nbgrader, of a course that knows nothing of our configuration, gives honest students the same grades."""

import os
import subprocess
import sys

import nbformat
import pytest

from autograder import ROOT
from autograder.course.cells import CODE_STUB, TEXT_STUB
from autograder.course.labs import find_lab
from autograder.course.source import read_source
from autograder.exercises.kits.mutants import load as load_mutants
from autograder.gradebook.nbgrader import with_bin_on_path
from autograder.intake.repair import repair
from autograder.judging.grade import judge_run, run_submission

SECRET = b"a secret"
CONFIG = f"""\
c = get_config()
c.CourseDirectory.course_id = "plain"
c.ClearSolutions.code_stub = {{"python": {CODE_STUB!r}}}
c.ClearSolutions.text_stub = {TEXT_STUB!r}
"""


def answered(lab, exercise, mutant_name):
    """The student's notebook, solved but for one exercise, which gets a mutant's answer."""
    notebook = read_source(lab)
    mutant = next(m for m in load_mutants(lab.short) if m.exercise == exercise and m.name == mutant_name)
    for cell in notebook.cells:
        if cell.id == exercise.replace(".", "_") + "_answer":
            cell.source = f"# GRADED: {exercise}\n" + mutant.answer(cell.source)
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A lab, the folder of a course that stock nbgrader has graded, and what its students submitted."""
    lab = find_lab("lab4")
    folder = tmp_path_factory.mktemp("course")
    (folder / "source" / lab.name).mkdir(parents=True)
    nbformat.write(read_source(lab), folder / "source" / lab.name / f"{lab.name}.ipynb")
    students = {
        "perfect": read_source(lab),
        "blank": nbformat.read(lab.student, as_version=4),
        "inverted": answered(lab, "lab4.cfg_train_loss", "mask_inverted"),
    }
    for name, notebook in students.items():
        notebook.cells = [
            c for c in notebook.cells if c.metadata.get("guidance_labs", {}).get("role") != "illustration"
        ]
        target = folder / "submitted" / name / lab.name
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{lab.name}.ipynb")
    (folder / "nbgrader_config.py").write_text(CONFIG)
    environment = with_bin_on_path() | {"PYTHONPATH": str(ROOT), "LAB_BUDGET": "grade", "OMP_NUM_THREADS": "1"}
    for command in (["generate_assignment", lab.name], ["autograde", lab.name]):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *command], cwd=folder, capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return lab, folder, students


@pytest.mark.slow
def test_both_ways_grade_alike(course, sandbox):
    from nbgrader.api import Gradebook

    lab, folder, students = course
    assert os.path.exists(folder / "gradebook.db")
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        plain = {name: book.find_submission(lab.name, name).notebooks[0].code_score for name in students}
    hardened = {}
    for name, notebook in students.items():
        submission = repair(notebook, lab)
        hardened[name] = judge_run(submission, run_submission(submission, sandbox, SECRET), SECRET).points
    assert plain == hardened
    assert plain["blank"] == 0 and 0 < plain["inverted"] < plain["perfect"]


@pytest.mark.slow
def test_students_get_what_nbgraders_own_command_makes(course):
    """The builder takes nbgrader's steps one by one, without its start."""
    lab, folder, _ = course
    theirs = nbformat.read(folder / "release" / lab.name / f"{lab.name}.ipynb", as_version=4)
    ours = nbformat.read(lab.student, as_version=4)
    assert [(c.id, c.source, c.metadata.get("nbgrader")) for c in theirs.cells] == [
        (c.id, c.source, c.metadata.get("nbgrader")) for c in ours.cells
    ]


def test_without_the_grader_a_test_cell_fails():
    """A test cell without an error earns full points in nbgrader: public checks must not stand in for verdicts."""
    code = (
        "import sys; sys.modules['autograder.judging.in_process'] = None; "
        "from utils.checks import graded; graded('lab4.cfg_drift')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "grading needs the package `autograder`" in done.stderr
