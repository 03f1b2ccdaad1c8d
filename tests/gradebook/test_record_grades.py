"""What is reported if nbgrader fails."""

from __future__ import annotations

import os
import time
from functools import partial
from types import SimpleNamespace

import nbformat
import pytest

from autograder.course.labs import find_lab
from autograder.course.source import read_source
from autograder.errors import GradebookError
from autograder.gradebook import nbgrader, supervise
from autograder.gradebook.lock import NAME, course_lock
from autograder.gradebook.nbgrader_process import Inherited, alembic_version
from autograder.gradebook.record_grades import record_grades
from autograder.gradebook.supervise import Finished
from autograder.judging.class_run import ClassRun, StudentRun
from autograder.judging.grade import Grade

LAB = find_lab("lab4")
GRADE = Grade(LAB.name, "a release", verdicts={}, manual={})


def test_a_page_that_could_not_be_written_is_named(tmp_path, monkeypatch):
    """The scores are recorded, a page is missing, and the instructor is told whose."""
    store = SimpleNamespace(folder=tmp_path / "store")
    class_run = ClassRun(LAB, tmp_path, store, [StudentRun("ada", tmp_path / "a.ipynb", grade=GRADE)])
    nbformat.write(read_source(LAB), tmp_path / "a.ipynb")
    (tmp_path / "autograded" / "ada" / LAB.name).mkdir(parents=True)

    def answers(words):
        monkeypatch.setattr(nbgrader, "supervise", lambda *_: Finished(1, "", words))

    def failed(work, progress):
        command = work.args[0]
        if "autograde" in command:
            (tmp_path / "autograded" / "ada" / LAB.name / "it.ipynb").touch()
        return Finished("generate_feedback" in command, "", "")

    monkeypatch.setattr(nbgrader, "supervise", failed)
    told = ["ada: nbgrader generate_feedback failed; the student gets a plain page"]
    assert record_grades(class_run, True) == (told, True, ["ada"], ["ada"])
    answers("Cannot add or remove cells")
    problems, whole, *_ = record_grades(class_run, True)
    assert not whole and any("scores in the gradebook" in line for line in problems), (
        "a notebook of an earlier run does not count"
    )
    answers("x\ndatabase is locked")
    with pytest.raises(GradebookError, match="no grade was written: database is locked"):
        record_grades(class_run, True)
    answers("OSError: [Errno 28] No space left on device")
    with pytest.raises(GradebookError, match=r"is full.*make room, and repeat the same command"):
        record_grades(class_run, True)
    assert not list(tmp_path.glob(".staged*"))


class Nbgrader:
    """Stands in for nbgrader: it writes one file for each student, in its order, and stalls at some of them."""

    def __init__(self, course, stalls):
        self.course, self.stalls, self.calls = course, stalls, []

    def __call__(self, work, progress):
        command = work.args[0]
        self.calls.append(command)
        kind, folder, name = (
            ("autograde", "autograded", "x.ipynb")
            if "autograde" in command
            else ("generate_feedback", "feedback", "x.html")
        )
        excluded = next((w.partition("=")[2].split(",") for w in command if "student_id_exclude=" in w), [])
        if kind not in command:
            return Finished(0, "", "")
        for student in ("ada", "bo", "cy", "dia"):
            place = self.course / folder / student / LAB.name / name
            if kind == "generate_feedback" and not (self.course / "autograded" / student).is_dir():
                continue
            if student in excluded or ("--force" not in command and place.exists()):
                continue
            if (kind, student) in self.stalls:
                return Finished(-9, "", "", "it needs more than 120 s of computing time")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            place.write_text(f"call {len(self.calls)}")
        return Finished(0, "", "")


def test_a_student_who_stalls_nbgrader_costs_nobody_else_a_page(tmp_path, monkeypatch):
    """Also where every page of an earlier run is still there, and where the clock has been set back by a day."""
    nbformat.write(read_source(LAB), tmp_path / "a.ipynb")
    store = SimpleNamespace(folder=tmp_path / "store")
    students = [StudentRun(name, tmp_path / "a.ipynb", grade=GRADE) for name in ("ada", "bo", "cy", "dia")]
    class_run = ClassRun(LAB, tmp_path, store, students)
    for name in ("ada", "bo", "cy", "dia"):
        old = tmp_path / "feedback" / name / LAB.name / "x.html"
        old.parent.mkdir(parents=True)
        old.write_text("of an earlier run")
        os.utime(old, (2e9, 2e9))  # later than all that is written now
    double = Nbgrader(tmp_path, {("generate_feedback", "bo"), ("generate_feedback", "cy"), ("autograde", "dia")})
    monkeypatch.setattr(nbgrader, "supervise", double)
    problems, complete, look, pageless = record_grades(class_run, True)
    assert not complete and look == ["dia", "bo", "cy"] and pageless == ["bo", "cy"]
    assert [line.split(":")[0] for line in problems] == ["dia", "bo", "cy"]
    assert all("because it needs more than 120 s of computing time" in line for line in problems)
    assert "call" in (tmp_path / "feedback" / "ada" / LAB.name / "x.html").read_text()
    assert (tmp_path / "feedback" / "dia" / LAB.name / "x.html").read_text() == "of an earlier run"


def test_ctrl_c_while_pages_are_written_leaves_nothing_behind(tmp_path, monkeypatch):
    nbformat.write(read_source(LAB), tmp_path / "a.ipynb")
    store = SimpleNamespace(folder=tmp_path / "store")
    class_run = ClassRun(LAB, tmp_path, store, [StudentRun("ada", tmp_path / "a.ipynb", grade=GRADE)])

    def interrupted(work, progress):
        assert list(tmp_path.glob(".staged*"))
        raise KeyboardInterrupt

    monkeypatch.setattr(nbgrader, "supervise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        record_grades(class_run, True)
    assert not list(tmp_path.glob(".staged*"))


def test_a_program_that_makes_no_progress_is_ended(monkeypatch):
    monkeypatch.setattr(supervise, "STALL_CPU_S", 0.3)
    ended = supervise.supervise(partial(exec, "while True: pass"), lambda: 1)
    assert "computing time" in ended.stalled and ended.returncode < 0
    monkeypatch.setattr(supervise, "MEMORY_BYTES", 2**20)
    ended = supervise.supervise(partial(time.sleep, 60), lambda: 1)
    assert "memory" in ended.stalled


def test_what_the_function_prints_and_how_it_ends_is_told():
    ended = supervise.supervise(partial(exec, "import os; print('to a file'); os.write(2, b'and this'); exit(3)"), bool)
    assert (ended.returncode, ended.stdout, ended.stderr, ended.stalled) == (3, "to a file\n", "and this", "")
    ended = supervise.supervise(partial(exec, "1 / 0"), bool)
    assert ended.returncode == 1 and "ZeroDivisionError" in ended.stderr


def test_a_command_keeps_the_lock(tmp_path):
    """The lock stays with nbgrader where only our process is killed."""
    with course_lock(tmp_path) as lock:
        held = supervise.supervise(partial(print_file, Inherited(lock)), bool)
    assert held.stdout == f"{tmp_path / NAME}\n", held.stderr


def print_file(descriptor):
    """Print which file a descriptor is."""
    print(os.readlink(f"/proc/self/fd/{descriptor}"))


@pytest.mark.slow
def test_the_version_of_a_new_gradebook_is_nbgraders_own():
    from nbgrader.api import get_alembic_version

    assert alembic_version() == get_alembic_version()
