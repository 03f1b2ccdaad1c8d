"""A whole class: read the submissions, run those that have not been run, judge.

The slow part is parallel and resumable; what nbgrader does afterwards replays stored runs.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.course.labs import Lab
from autograder.errors import MachineTooBusy, NotANotebook
from autograder.intake.bounded_reading import Reader
from autograder.intake.find_collected import find_submissions, require_own_file
from autograder.intake.predictions import choices_of
from autograder.intake.repair import Submission
from autograder.judging.bounded_judging import BoundedJudging
from autograder.judging.grade import UNPROTECTED, Grade, judge_run
from autograder.judging.packed import PackedSubmission
from autograder.progress import progress
from autograder.running.bubblewrap import require_bubblewrap
from autograder.running.challenge_keys import read_secret
from autograder.running.limits import Limits
from autograder.running.run_types import Run, Task
from autograder.running.store import DamagedRun, Store, task_key
from autograder.running.tasks import make_task, versions_of
from autograder.running.workers import run_all
from autograder.text import one_line

MAX_REASON = 300  # characters of an error in a problem line
STUDENTS_A_JUDGE = 20  # a judging process imports for two seconds before it begins, as long as 20 submissions take


@dataclass
class StudentRun:
    """One student's way through the grading; filled in stage by stage."""

    student: str
    path: Path
    submission: Submission | None = None
    key: str = ""  # of the stored run
    run: Run | None = None  # without evidence and outputs: a class of thousands has to fit into memory
    grade: Grade | None = None
    problem: str = ""  # why there is no grade
    predictions: dict[str, str] = field(default_factory=dict)  # a prediction's name -> the letter that was chosen

    @property
    def problems(self) -> list[str]:
        """Why a person should look at this student: something was not graded, or could not be run or judged."""
        found = [self.problem] if self.problem else []
        if self.grade is not None:
            found += [line for line in self.grade.problems if line != UNPROTECTED]
            found += self.grade.faults
        return found


@dataclass
class ClassRun:
    """All students of a class in one lab."""

    lab: Lab
    course: Path  # the folder with gradebook, store and pages
    store: Store
    students: list[StudentRun] = field(default_factory=list)
    run_now: int = 0  # notebooks that were not in the store
    damaged: dict[str, str] = field(default_factory=dict)  # student -> why the stored run could not be used
    refused: dict[str, str] = field(default_factory=dict)  # worker -> why it ran nothing
    submissions: Path | None = None  # the folder of the submissions, which may have a table of names


def open_class(lab: Lab, folder: Path, course: Path, store: Path | None = None) -> ClassRun:
    """Read and repair every submission. One that cannot be read is a problem of its student alone.

    Args:
        lab: the lab.
        folder: where the submissions are.
        course: the folder with gradebook, store and pages.
        store: the folder of stored runs; `course/store` if not given.

    Raises:
        FileNotFoundError: there is no submission.
    """
    class_run = ClassRun(lab, course, Store(store or course / "store", versions_of(lab)), submissions=folder)
    secret = read_secret()
    with Reader() as reader:
        for student, path in progress(find_submissions(folder, lab).items(), "reading submissions"):
            class_run.students.append(open_student(student, path, folder, lab, reader, secret))
    return class_run


def open_student(student: str, path: Path, folder: Path, lab: Lab, reader: Reader, secret: bytes) -> StudentRun:
    """Read and repair one submission; what goes wrong is a problem of this student.

    Args:
        student: the id.
        path: the notebook.
        folder: where all submissions are.
        lab: the lab.
        reader: reads within bounds.
        secret: the course's secret.
    """
    student_run = StudentRun(one_line(student), path)
    try:
        require_own_file(student, path, folder)
        submission = reader.submission(path, lab)
        student_run.predictions = choices_of(submission.notebook, lab)
        student_run.key = task_key(make_task(submission, secret))
        student_run.submission = PackedSubmission(submission)
    except NotANotebook as error:
        student_run.problem = str(error)
    except Exception as error:  # a notebook that breaks our own code must not stop the class
        name, words = one_line(path.name), one_line(str(error))
        student_run.problem = f"{name} could not be read ({type(error).__name__}: {words[:MAX_REASON]})"
    return student_run


def run_class(class_run: ClassRun, protected: bool, scheduler: str | None = None, workers: int | None = None) -> None:
    """Run the submissions that the store does not have.

    Args:
        class_run: the class; a student whose notebook could not be run gets a problem.
        protected: run in the sandbox, and use no stored run that was made without it.
        scheduler: the address of a running Dask scheduler.
        workers: how many processes on this machine; one per core if not given.

    Raises:
        SandboxError: bubblewrap is missing or may not start, and `protected`.
        NoWorkers: the scheduler has no worker, or none that has this version of the course.
    """
    if protected:
        require_bubblewrap()
    class_run.store.require_writable()
    secret = read_secret()
    by_key: dict[str, list[StudentRun]] = {}
    tasks: dict[str, Task] = {}
    for student_run in class_run.students:
        if student_run.submission is not None and not class_run.store.can_use(student_run.key, protected):
            if why := class_run.store.damage(student_run.key):
                class_run.damaged[student_run.student] = why
            by_key.setdefault(student_run.key, []).append(student_run)
            if student_run.key not in tasks:
                tasks[student_run.key] = make_task(student_run.submission, secret)
    class_run.run_now = len(tasks)
    runs = run_all(tasks, Limits(), protected, scheduler, workers, class_run.refused)
    for key, result in progress(runs, f"running {len(tasks)} notebooks", len(tasks)):
        if isinstance(result, Exception):
            why = f"{type(result).__name__}: {' '.join(str(result).split())[:MAX_REASON]}"
            for student_run in by_key[key]:
                failed = f"the machine failed twice on this notebook ({why}); run the command again"
                student_run.problem = str(result) if isinstance(result, MachineTooBusy) else failed
        else:
            class_run.store.save(key, result)


def judge_class(class_run: ClassRun) -> None:
    """Judge the stored evidence of every student, each within bounds, a large class on all cores. No notebook is run.

    A student whose notebook could not be run now has a problem already, and gets no grade: the run that is stored, if
    any, is stale, or was made without the sandbox.
    """
    secret = read_secret()
    workers = max(1, min(os.cpu_count() or 1, math.ceil(len(class_run.students) / STUDENTS_A_JUDGE)))
    with contextlib.ExitStack() as stack:
        idle: queue.SimpleQueue[BoundedJudging] = queue.SimpleQueue()
        for _ in range(workers):
            judging = stack.enter_context(BoundedJudging())
            if workers > 1:
                judging.start()
            idle.put(judging)

        def judge_next(student_run: StudentRun) -> None:
            judging = idle.get()
            try:
                judge_student(student_run, class_run, secret, judging)
            finally:
                idle.put(judging)

        threads = ThreadPoolExecutor(workers)
        stack.callback(threads.shutdown, cancel_futures=True)  # also after Ctrl-C
        judged = [threads.submit(judge_next, student_run) for student_run in class_run.students]
        for future in progress(judged, "judging"):
            future.result()


def judge_student(student_run: StudentRun, class_run: ClassRun, secret: bytes, judging: BoundedJudging) -> None:
    """Judge the stored evidence of one student.

    Args:
        student_run: the student, who gets a grade or a problem.
        class_run: the class.
        secret: the course's secret.
        judging: judges within bounds.
    """
    run = load_run(student_run, class_run)
    if run is None or student_run.submission is None:
        return
    try:
        student_run.grade = judge_run(student_run.submission, run, secret, judging.judge_exercises)
        student_run.run = replace(run, evidence={}, outputs={})
    except MachineTooBusy as error:
        student_run.problem = str(error)


def load_run(student_run: StudentRun, class_run: ClassRun) -> Run | None:
    """Return the stored run of a student; None if there is none that can be judged, and then a problem says why."""
    if student_run.submission is None or student_run.problem:
        return None
    try:
        run = class_run.store.load(student_run.key)
    except DamagedRun as error:
        class_run.damaged[student_run.student] = error.why
        student_run.problem = (
            f"the stored run is damaged ({error.why}), so it was not judged. `autograder grade` runs it again; "
            "until then the gradebook keeps the old scores."
        )
        return None
    except KeyError:
        student_run.problem = "no stored run; use `autograder grade`"
        return None
    if stale := class_run.store.stale(student_run.key):
        names = ", ".join(f"{name} (version {then}, now {now})" for name, (then, now) in stale.items())
        student_run.problem = (
            f"stored evidence is stale, because probes have changed: {names}. `autograder grade` runs it again; "
            "until then the gradebook keeps the old scores."
        )
        return None
    return run
