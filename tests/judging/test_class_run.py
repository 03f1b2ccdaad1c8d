"""A class: finding submissions, and saying why one has no grade."""

import zlib

import nbformat

from autograder.errors import SandboxError
from autograder.grading import feedback_pages
from autograder.intake.bounded_reading import Reader
from autograder.judging import class_run as class_module
from autograder.judging.class_run import judge_class, open_class, run_class
from autograder.running.challenge_keys import read_secret
from autograder.running.passes import execute_task
from autograder.running.run_types import Run
from autograder.running.tasks import make_task
from tests.lab4_class import make_class


def task_of(student_run):
    """Return what runs a student's notebook."""
    return make_task(student_run.submission, read_secret())


def test_the_reason_why_the_machine_failed_is_said(lab4, tmp_path, monkeypatch):
    class_run = open_class(lab4, make_class(tmp_path, 1) / "submitted", tmp_path)
    error = SandboxError("the sandbox did not start:\nbwrap: No permissions to create a new namespace")
    monkeypatch.setattr(class_module, "run_all", lambda tasks, *_: ((key, error) for key in tasks))
    run_class(class_run, protected=True)
    judge_class(class_run)
    assert "bwrap: No permissions to create a new namespace" in class_run.students[0].problem
    assert "\n" not in class_run.students[0].problem and class_run.students[0].grade is None


def test_where_the_sandbox_fails_a_run_made_without_it_earns_nothing(lab4, tmp_path, monkeypatch):
    class_run = open_class(lab4, make_class(tmp_path, 1) / "submitted", tmp_path)
    [student_run] = class_run.students
    class_run.store.save(student_run.key, Run(task_of(student_run).submission_hash, protected=False))
    judge_class(class_run)
    assert student_run.grade is not None, "`regrade` judges it"
    class_run = open_class(lab4, tmp_path / "submitted", tmp_path)
    monkeypatch.setattr(class_module, "run_all", lambda tasks, *_: ((key, SandboxError("no")) for key in tasks))
    run_class(class_run, protected=True)
    judge_class(class_run)
    assert class_run.students[0].grade is None and "the machine failed twice" in class_run.students[0].problem


def test_a_class_gets_the_same_grades_from_one_judge_and_from_three(lab4, sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr(class_module, "STUDENTS_A_JUDGE", 1)
    course, graded = make_class(tmp_path, 3), []
    for cores in (1, 3):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        class_run = open_class(lab4, course / "submitted", course)
        for one in class_run.students:
            if not class_run.store.can_use(one.key, protected=True):
                class_run.store.save(one.key, execute_task(task_of(one), sandbox))
        judge_class(class_run)
        graded.append([one.grade for one in class_run.students])
    assert graded[0] == graded[1] and None not in graded[0]
    assert len({grade.points for grade in graded[0]}) > 1, "there is a mistake in the class"


def test_a_class_keeps_its_notebooks_compressed(lab4, tmp_path):
    course = make_class(tmp_path, 1)
    [student_run] = open_class(lab4, course / "submitted", course).students
    with Reader() as reader:
        submission = reader.submission(student_run.path, lab4)
    kept = student_run.submission
    assert (kept.lab, kept.release, kept.repairs) == (submission.lab, submission.release, submission.repairs)
    assert kept.notebook == submission.notebook and kept.notebook is not kept.notebook
    assert not any(isinstance(value, dict) for value in vars(kept).values())
    assert len(vars(kept)["text"]) < len(zlib.compress(nbformat.writes(submission.notebook).encode(), 0)) / 2


def test_files_whose_names_are_nearly_the_same_are_not_one_student(lab4, tmp_path):
    for name in ("ada b", "ada_b", "chi d"):
        (tmp_path / f"{name}.ipynb").write_text("{}")
    found = class_module.find_submissions(tmp_path, lab4)
    assert {student: path.stem for student, path in found.items()} == {
        "ada b": "ada b",
        "ada_b": "ada_b",
        "chi_d": "chi d",
    }
    said = {
        student_run.student: student_run.problem
        for student_run in class_module.open_class(lab4, tmp_path, tmp_path).students
    }
    assert "rename one" in said["ada b"] and "rename" not in said["ada_b"] + said["chi_d"]


def test_what_a_system_lays_beside_is_no_submission(lab4, tmp_path):
    place = tmp_path / "ada" / lab4.name
    for path in (place / "._lab4.ipynb", place / "lab4.ipynb", tmp_path / ".ipynb_checkpoints" / lab4.name / "x.ipynb"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert class_module.find_submissions(tmp_path, lab4) == {"ada": place / "lab4.ipynb"}


def test_only_pages_of_students_graded_now_are_listed(lab4, tmp_path):
    class_run = class_module.ClassRun(lab4, tmp_path, store=None)
    for student, grade in (("ada", "a grade"), ("zoe", None)):
        class_run.students.append(class_module.StudentRun(student, tmp_path, grade=grade))
        page = tmp_path / "feedback" / student / lab4.name / "page.html"
        page.parent.mkdir(parents=True)
        page.touch()  # zoe's is of an earlier run
    assert [page.parent.parent.name for page in feedback_pages(class_run)] == ["ada"]
