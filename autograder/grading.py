"""Grade a whole class: run what has not been run, judge, let nbgrader keep the grades, write the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from autograder.course.labs import Lab
from autograder.feedback.class_report import report, write_page
from autograder.feedback.plain_page import write_plain_page
from autograder.gradebook.lock import course_lock
from autograder.gradebook.nbgrader import gradebook_name, has_gradebook, open_gradebook
from autograder.gradebook.read_gradebook import read_gradebook
from autograder.gradebook.record_grades import record_grades
from autograder.judging.class_run import ClassRun, judge_class, open_class, run_class
from autograder.running.challenge_keys import read_secret

DAMAGED_SHOWN = 12  # damaged runs that are named


@dataclass(frozen=True)
class Execution:
    """How notebooks are run."""

    protected: bool = True
    scheduler: str | None = None  # address of a Dask scheduler; this machine without one
    workers: int | None = None  # on this machine; one per core without a number


@dataclass(frozen=True)
class ClassJob:
    """What to grade, and where everything lies."""

    lab: Lab
    course: Path  # gradebook, store and pages
    submissions: Path | None = None  # COURSE/submitted without one
    gradebook: bool = True
    feedback: bool = True
    execution: Execution | None = None  # None judges stored evidence again, and runs nothing

    @property
    def home(self) -> Path:
        """The course's folder as an absolute path."""
        return self.course.resolve()

    def open(self) -> ClassRun:
        """Read and repair all submissions.

        Raises:
            FileNotFoundError: no submission was found.
        """
        return open_class(self.lab, (self.submissions or self.home / "submitted").resolve(), self.home)


@dataclass(frozen=True)
class GradedClass:
    """The result of a job."""

    class_run: ClassRun
    problems: list[str] = field(default_factory=list)  # of nbgrader, a line each
    complete: bool = True  # every grade reached the gradebook
    report: Path | None = None  # None where no page was written
    gradebook: str = ""  # its address, without a password
    pages: list[Path] = field(default_factory=list)  # of feedback
    look: list[str] = field(default_factory=list)  # students whose notebook needs manual attention
    waiting: dict[str, int] = field(default_factory=dict)  # student -> written answers to grade
    changed: list[str] = field(default_factory=list)  # students whose notebook changed after a person graded it
    extended: dict[str, timedelta] = field(default_factory=dict)  # student -> how much more time was given

    @property
    def graded(self) -> int:
        """The number of students who have a grade."""
        return sum(entry.grade is not None for entry in self.class_run.students)


def grade_class(job: ClassJob, on_graded: Callable[[ClassRun], None] = lambda class_run: None) -> GradedClass:
    """Grade or regrade a class.

    Args:
        job: what to grade, and how.
        on_graded: called with the judged class before nbgrader stores the grades, because that takes time and may fail.

    Raises:
        AutograderError: the lab, the submissions, the gradebook or the sandbox cannot be used.
    """
    if not job.gradebook:
        return grade_locked(job, on_graded)
    job.home.mkdir(parents=True, exist_ok=True)
    with course_lock(job.home):  # now, and not when everything has been run
        if has_gradebook(job.home):
            with open_gradebook(job.home):  # so that a wrong address is reported now, too
                pass
        return grade_locked(job, on_graded)


def grade_locked(job: ClassJob, on_graded: Callable[[ClassRun], None]) -> GradedClass:
    """Do the work of `grade_class`, whose lock is held; the arguments and errors are the same."""
    class_run = job.open()
    if job.execution is not None:
        run_class(class_run, job.execution.protected, job.execution.scheduler, job.execution.workers)
    judge_class(class_run)
    problems = [*class_run.refused.values(), *damaged_runs(class_run, job.execution is not None)]
    on_graded(class_run)
    look = [entry.student for entry in class_run.students if entry.problems]
    if not job.gradebook or not any(entry.grade is not None for entry in class_run.students):
        return GradedClass(class_run, problems, look=look)
    graded = store_grades(job, class_run, look)
    return replace(graded, problems=[*problems, *graded.problems])


def damaged_runs(class_run: ClassRun, run_again: bool) -> list[str]:
    """Return a line about stored runs that were damaged, or none."""
    if not class_run.damaged:
        return []
    students = class_run.damaged
    done = "run again" if run_again else "not judged (`autograder grade` runs it again)"
    named = "; ".join(f"{student}: {why}" for student, why in list(students.items())[:DAMAGED_SHOWN])
    return [
        f"the stored run of {len(students)} of {len(class_run.students)} students was damaged and was {done}: {named}. "
        "If this happens again, the disk is failing: `autograder store verify`"
    ]


def store_grades(job: ClassJob, class_run: ClassRun, look: list[str]) -> GradedClass:
    """Let nbgrader keep the grades of a judged class, and write the class report."""
    protected = job.execution is None or job.execution.protected
    recorded = record_grades(class_run, protected, job.feedback)
    page = write_report(job, report(class_run))
    rows = read_gradebook(job.lab, job.home)
    for row in rows:
        if row.student in recorded.pageless:
            write_plain_page(job.lab, row, job.home)
    return GradedClass(
        class_run,
        recorded.problems,
        recorded.complete,
        page,
        gradebook_name(job.home),
        feedback_pages(class_run),
        list(dict.fromkeys([*look, *recorded.look])),
        {row.student: len(row.open) for row in rows if row.open},
        [row.student for row in rows if row.changed],
        {row.student: row.extension for row in rows if row.extension},
    )


def feedback_pages(class_run: ClassRun) -> list[Path]:
    """Return the feedback pages of all students who have a grade now; others may have one of an earlier run."""
    graded = {entry.student for entry in class_run.students if entry.grade is not None}
    pages = (class_run.course / "feedback").glob(f"*/{class_run.lab.name}/*.html")
    return sorted(page for page in pages if page.parent.parent.name in graded)


def report_document(job: ClassJob, anonymous: bool) -> dict:
    """Return the class report as plain data, with pseudonyms if `anonymous`."""
    class_run = job.open()
    judge_class(class_run)
    return report(class_run, read_secret() if anonymous else None)


def write_report(job: ClassJob, document: dict, anonymous: bool = False, out: Path | None = None) -> Path:
    """Write the class report as a page. An anonymous one has no links to feedback pages."""
    name = f"{job.lab.name}-anonymous.html" if anonymous else f"{job.lab.name}.html"
    return write_page(document, out or job.home / "report" / name, None if anonymous else job.home / "feedback")
