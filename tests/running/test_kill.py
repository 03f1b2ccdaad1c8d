"""Grading is killed, and workers die: nothing is lost, nothing is run twice, and the grades are the same."""

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from autograder import ROOT
from autograder.gradebook.nbgrader import open_gradebook
from autograder.judging.class_run import judge_class, open_class, run_class
from autograder.running.limits import Limits
from autograder.running.workers import run_all
from tests.events import await_event
from tests.lab4_class import make_class, start_autograder

pytestmark = pytest.mark.usefixtures("needs_bubblewrap")

STUDENTS = 8
STAGES = ("started", "sandbox", "stored")
MANY_STAGES = ("started", "sandbox", "stored", "stored", "stored") * 4
MOMENTS = 20  # at which grading is killed after the sandbox has finished


def points_of(class_run):
    return {
        student_run.student: (
            student_run.grade.points,
            [f.code for v in student_run.grade.verdicts.values() for f in v.findings],
        )
        for student_run in class_run.students
    }


def stored(course):
    """Each stored run and when it was written. A hidden folder is a run that is still being written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in (course / "store").glob("*/[!.]*/run.json")}


@pytest.fixture(scope="module")
def undisturbed(scheduler, lab4, tmp_path_factory):
    """The grades of three students in a run that is not interrupted. Those of larger classes repeat them."""
    course = make_class(tmp_path_factory.mktemp("calm"), 3)
    class_run = open_class(lab4, course / "submitted", course)
    run_class(class_run, protected=True, scheduler=scheduler)
    judge_class(class_run)
    grades = points_of(class_run)
    assert [points for points, _ in grades.values()] == [14.0, 10.0, 14.0]
    return list(grades.values())


def expected(undisturbed, students):
    """Return the grades of a class of this size."""
    return {f"student{number:02d}": undisturbed[number % 3] for number in range(students)}


def family_of(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def has_sandbox(process):
    """A worker has started the program that runs notebooks."""
    for member in family_of(process):
        with contextlib.suppress(psutil.Error):
            if "inside.runner" in member.cmdline():
                return True
    return False


def await_stage(stage, process, course, finished):
    """Wait until the workers start, a worker starts a sandbox, or one more run is stored."""
    happened = {
        "started": lambda: len(family_of(process)) > 0,
        "sandbox": lambda: has_sandbox(process),
        "stored": lambda: len(stored(course)) > len(finished),
    }
    await_event(happened[stage], process, stage)


def kill_at(stage, words, course, finished):
    """Start grading, kill it at a stage, and return what is stored. No process is left, and no stored run is lost."""
    process = start_autograder(*words)
    await_stage(stage, process, course, finished)
    family = family_of(process)
    process.kill()
    process.communicate()
    _gone, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, f"left behind by a killed run: {[p.cmdline() for p in alive]}"
    now = stored(course)
    assert finished.items() <= now.items(), "a finished submission was lost, or run again"
    return now


@pytest.mark.parametrize(
    ("students", "stages", "workers"),
    [
        pytest.param(5, STAGES, 1, id="3 kills", marks=pytest.mark.slow),
        pytest.param(20, MANY_STAGES, 2, id="20 kills", marks=pytest.mark.slow),  # the same, for minutes
    ],
)
def test_sigkill_at_every_stage_of_a_run(students, stages, workers, undisturbed, tmp_path, lab4):
    """While workers start, while a sandbox starts, and again and again just after one more run was stored."""
    course = make_class(tmp_path, students)
    words = ["grade", lab4.name, "--course", course, "--no-gradebook", "--workers", workers]
    finished: dict[str, int] = {}
    for stage in stages:
        finished = kill_at(stage, words, course, finished)
    last = start_autograder(*words)
    output, _ = last.communicate(timeout=1800)
    assert last.returncode == 0, output
    ran = int(re.search(r"(\d+) of them run now", output)[1])
    assert ran == students - len(finished)
    assert finished.items() <= stored(course).items() and len(stored(course)) == students
    class_run = open_class(lab4, course / "submitted", course)
    judge_class(class_run)
    assert points_of(class_run) == expected(undisturbed, students)


def cpu_of(process):
    """Return the processor seconds of a process and its descendants."""
    used = 0.0
    for pid in (process.pid, *(member.pid for member in family_of(process))):
        with contextlib.suppress(psutil.Error):
            used += sum(psutil.Process(pid).cpu_times()[:4])  # its own, and those of its children that have ended
    return used


def rows_of(lab, course):
    """Return what the gradebook and the folders of pages hold for each student."""
    pages = {page.parent.parent.name for page in (course / "feedback").glob(f"*/{lab.name}/*.html")}
    with open_gradebook(course) as book:
        scores = {
            submission.student_id: sum(
                grade.auto_score or 0.0 for notebook in submission.notebooks for grade in notebook.grades
            )
            for submission in book.assignment_submissions(lab.name)
        }
    return {student: (score, student in pages) for student, score in scores.items()}


def grade_undisturbed(words):
    """Grade without a disturbance, and return the processor seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = start_autograder(*words)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@dataclass(frozen=True)
class Calm:
    """A course that was graded twice without a disturbance, so that its store is complete."""

    course: Path
    words: list
    total_s: float  # of processor time, for all that follows the sandbox
    rows: dict
    finished: dict


@pytest.fixture(scope="module")
def calm(needs_bubblewrap, lab4, tmp_path_factory):
    """The course in which grading is killed again and again."""
    course = make_class(tmp_path_factory.mktemp("killed"), 3)
    words = ["grade", lab4.name, "--course", course, "--workers", "1"]
    grade_undisturbed(words)  # makes the store
    calm = Calm(course, words, grade_undisturbed(words), rows_of(lab4, course), stored(course))
    assert len(calm.rows) == 3 and all(page for _, page in calm.rows.values())
    return calm


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_sigkill_while_judging_and_writing_feedback(moment, calm):
    """At 20 moments that are spread over all that follows the sandbox, measured in processor time."""
    due = calm.total_s * (moment + 0.5) / MOMENTS
    process = start_autograder(*calm.words)
    await_event(lambda: cpu_of(process) >= due, process, f"{due:.1f} s of work", 1500)
    family = family_of(process)
    process.kill()
    process.communicate()
    _gone, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, f"left behind by a killed run: {[p.cmdline() for p in alive]}"
    assert stored(calm.course) == calm.finished, "a finished submission was lost, or run again"


@pytest.mark.slow
def test_after_all_these_kills_the_gradebook_and_the_pages_are_the_same(calm, lab4):
    grade_undisturbed(calm.words)
    assert rows_of(lab4, calm.course) == calm.rows and stored(calm.course) == calm.finished
    assert not list(calm.course.glob(".staged-*")), "half-written files are left"


@pytest.mark.slow
def test_remote_scheduler_with_one_worker_killed(undisturbed, tmp_path, lab4):
    """A scheduler and two workers in processes of their own; one worker is killed while it is at work."""
    address = tmp_path / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "3"}
    cli = [sys.executable, "-m", "distributed.cli"]

    def start(*words):
        return subprocess.Popen(
            [*cli[:2], f"{cli[2]}.{words[0]}", *words[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    scheduler = start(
        "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(address)
    )
    try:
        await_event(lambda: address.exists() and address.read_text().strip(), scheduler, "the scheduler's address", 60)
        worker = ("dask_worker", "--scheduler-file", str(address), "--nthreads", "1", "--no-nanny", "--no-dashboard")
        workers = [start(*worker), start(*worker)]
        url = re.search(r'"address": "([^"]+)"', address.read_text())[1]
        course = make_class(tmp_path / "course", STUDENTS)
        grading = start_autograder("grade", lab4.name, "--course", course, "--no-gradebook", "--scheduler", url)
        await_event(lambda: len(stored(course)) >= 3, grading, "three stored runs")
        assert 3 <= len(stored(course)) < STUDENTS, "the worker has to die in the middle"
        workers[0].send_signal(signal.SIGKILL)
        output, _ = grading.communicate(timeout=1800)
        assert grading.returncode == 0, output
        class_run = open_class(lab4, course / "submitted", course)
        judge_class(class_run)
        assert points_of(class_run) == expected(undisturbed, STUDENTS)
    finally:
        for process in (scheduler, *workers):
            process.kill()
            process.wait()


def test_a_submission_that_kills_its_worker_twice_is_reported(monkeypatch):
    """A task kills its worker: the worker is replaced, the task is retried once and reported, and the rest goes on."""
    from autograder.running import workers as module
    from autograder.running.run_types import Run, Task

    def deadly(task, limits, protected, digest):  # pickled by value: it lives in no module
        import os as system

        if task.submission_hash == "deadly":
            system._exit(1)
        return Run(task.submission_hash)

    deadly.__module__ = "__main__"
    monkeypatch.setattr(module, "run_in_worker", deadly)
    tasks = {name: Task((), {}, name) for name in ("one", "deadly", "two", "three")}
    results = dict(run_all(tasks, Limits(), protected=True, workers=2))
    assert isinstance(results.pop("deadly"), Exception)
    assert {name: run.submission_hash for name, run in results.items()} == {n: n for n in ("one", "two", "three")}
