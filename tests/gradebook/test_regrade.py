"""A class is graded again: what a person graded stays, stored runs are used, and a new submission counts."""

import dataclasses
import os
import shutil
import subprocess
import sys

import pytest

from autograder import ROOT
from autograder.cli import main
from autograder.errors import ExitCode
from autograder.gradebook.lock import course_lock
from autograder.gradebook.staging import copy_to_submitted
from autograder.judging.class_run import open_class
from tests.lab4_class import make_class
from utils.checks.exercise import REGISTRY

pytestmark = pytest.mark.usefixtures("needs_bubblewrap")


@pytest.fixture(scope="module")
def course(graded_class, tmp_path_factory):
    """A graded class of our own."""
    return shutil.copytree(graded_class, tmp_path_factory.mktemp("regrade") / "course")


def test_a_new_attempt_brings_its_own_time_of_arrival(lab4, tmp_path):
    """An earlier attempt's time must not make the new one late."""
    course = tmp_path / "course"
    for attempt in ("first", "second"):
        make_class(tmp_path / attempt, 1, attempt)
    folder = tmp_path / "first" / "submitted" / "student00" / lab4.name
    (folder / "timestamp.txt").write_text("2026-12-01 00:00:00 UTC")
    target = course / "submitted" / "student00" / lab4.name
    copy_to_submitted(open_class(lab4, tmp_path / "first" / "submitted", course))
    assert (target / "timestamp.txt").read_text() == "2026-12-01 00:00:00 UTC"
    copy_to_submitted(open_class(lab4, tmp_path / "second" / "submitted", course))
    assert sorted(path.name for path in target.iterdir()) == [f"{lab4.name}.ipynb"]
    assert "second" in (target / f"{lab4.name}.ipynb").read_text()


def test_scores_and_comments_by_hand_survive_a_regrade(course, lab4):
    from nbgrader.api import Gradebook

    def book():
        return Gradebook(f"sqlite:///{course / 'gradebook.db'}", "guidance-labs")

    with book() as gradebook:
        grade = gradebook.find_grade("lab4_unet_essay", lab4.name, lab4.name, "student00")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.find_comment("lab4_unet_essay", lab4.name, lab4.name, "student00").manual_comment = "well said"
        gradebook.db.commit()
    before = {path: path.stat().st_mtime_ns for path in (course / "store").glob("*/*/run.json")}
    assert main(["regrade", lab4.name, "--course", str(course)]) == 0
    assert {path: path.stat().st_mtime_ns for path in (course / "store").glob("*/*/run.json")} == before
    with book() as gradebook:
        grade = gradebook.find_grade("lab4_unet_essay", lab4.name, lab4.name, "student00")
        assert grade.manual_score == 1.5 and not grade.needs_manual_grade, "nothing has changed: no second look"
        comment = gradebook.find_comment("lab4_unet_essay", lab4.name, lab4.name, "student00")
        assert comment.comment == "well said"
        assert gradebook.find_submission(lab4.name, "student00").score == 15.5
        assert gradebook.find_submission(lab4.name, "student01").score == 10


def test_who_is_no_longer_late_is_not_late(course, lab4):
    """Nbgrader keeps a time that it was told once."""
    from autograder.gradebook.nbgrader import open_gradebook

    stamp = course / "submitted" / "student01" / lab4.name / "timestamp.txt"

    def arrival():
        with open_gradebook(course) as book:
            return book.find_submission(lab4.name, "student01").timestamp

    stamp.write_text("2026-12-01 00:00:00 UTC")
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0
    assert arrival() is not None
    stamp.unlink()
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0
    assert arrival() is None


@pytest.mark.slow
def test_a_regrade_runs_nothing_also_where_the_class_was_run_without_the_sandbox(lab4, tmp_path, monkeypatch):
    course = make_class(tmp_path, 1)
    assert main(["grade", lab4.name, "--course", str(course), "--sandbox", "none", "--no-feedback"]) == 0
    monkeypatch.setenv("PATH", str(tmp_path))  # no bubblewrap
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0


def test_two_runs_do_not_write_one_gradebook(course, lab4):
    words = [sys.executable, "-m", "autograder", "regrade", lab4.name, "--course", str(course)]
    with course_lock(course), course_lock(course):  # the same process may ask twice
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == ExitCode.MISSED
    assert "another grading run (process " in done.stderr and f"process {os.getpid()} of " in done.stderr
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0, "it was given back"


def test_a_notebook_handed_in_anew_is_looked_at_again(course, lab4, capsys):
    """And a run that was killed between nbgrader and `restore_reviewed` loses no reviewed grade."""
    from autograder.gradebook.manual_grades import save_reviewed
    from autograder.gradebook.nbgrader import open_gradebook

    path = course / "submitted" / "student00" / lab4.name / f"{lab4.name}.ipynb"
    before = path.read_text()

    def waits(gradebook):
        return gradebook.find_grade("lab4_unet_essay", lab4.name, lab4.name, "student00").needs_manual_grade

    with open_gradebook(course) as gradebook:
        assert save_reviewed(gradebook, lab4.name, course, course / "store") and not waits(gradebook)
        gradebook.find_grade("lab4_unet_essay", lab4.name, lab4.name, "student00").needs_manual_grade = True
        gradebook.db.commit()
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0
    with open_gradebook(course) as gradebook:
        assert not waits(gradebook)
    path.write_text(before.replace("*Fourier features*", "*Waves of time*"))
    assert path.read_text() != before
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0
    assert "submitted again after a person had graded them: student00" in capsys.readouterr().out
    with open_gradebook(course) as gradebook:
        assert waits(gradebook)
    path.write_text(before)


def test_stale_evidence_is_named_and_keeps_its_old_grade(course, lab4, monkeypatch, capsys):
    entry = REGISTRY["lab4.cfg_drift"]
    monkeypatch.setitem(REGISTRY, entry.name, dataclasses.replace(entry, version=entry.version + 1))
    assert main(["regrade", lab4.name, "--course", str(course)]) == 1
    said = capsys.readouterr().out
    assert f"lab4.cfg_drift (version {entry.evidence_version}, now {entry.evidence_version + 1})" in said
    assert "0 of 4 submissions graded" in said
