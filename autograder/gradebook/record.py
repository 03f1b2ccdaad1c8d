"""Record the grades of a class in nbgrader: stage the submissions, run its commands, restore manual grades."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from autograder.course.labs import Lab
from autograder.errors import GradebookError
from autograder.gradebook import manual_grades
from autograder.gradebook.nbgrader import gradebook_lock, has_gradebook, open_gradebook, run_nbgrader
from autograder.gradebook.staging import copy_to_submitted, stage
from autograder.judging.class_run import ClassRun
from autograder.progress import progress_by_files

PRIVATE = ("submitted", "autograded", "feedback", "report")  # the folders of a course that hold student data
SCORES_LOST = "its scores in the gradebook, if any, are from an earlier run"
PAGE_LOST = "there is no feedback page"


class Recorded(NamedTuple):
    """What came of recording grades.

    Attributes:
        problems: One line for each thing that went wrong.
        complete: Whether every grade reached the gradebook.
    """

    problems: list[str]
    complete: bool


def record_grades(class_run: ClassRun, protected: bool, feedback: bool = True) -> Recorded:
    """Let nbgrader write the grades of a class into its gradebook, then write feedback pages.

    Args:
        class_run: The graded class.
        protected: Whether a notebook that nbgrader has to run again runs in the sandbox.
        feedback: Whether to write feedback pages.

    Raises:
        GradebookError: The gradebook cannot be read or written, or another run is writing it.
    """
    with gradebook_lock(class_run.course) as lock:
        return write_grades(class_run, protected, feedback, lock)


def write_grades(class_run: ClassRun, protected: bool, feedback: bool, lock: int) -> Recorded:
    """Do the work of `record_grades`; the arguments are the same, and `lock` is the descriptor of the lock."""
    for name in ("submitted", "autograded", "feedback"):  # private before they hold anything
        (class_run.course / name).mkdir(mode=0o700, exist_ok=True)
    copy_to_submitted(class_run)
    staged = class_run.course / f".staged-{class_run.lab.name}"
    shutil.rmtree(staged, ignore_errors=True)  # left behind by an interrupted run
    problems = stage(class_run, staged)
    reviewed: set[manual_grades.GradeKey] = set()
    if has_gradebook(class_run.course):
        with open_gradebook(class_run.course) as book:
            problems += outdated_scores(class_run, book)
            clear_stale_timestamps(class_run, book, staged)
            reviewed = manual_grades.save_reviewed(book, class_run.lab.name, class_run.course, class_run.store.folder)
    commands = ClassCommands(class_run, staged, protected, lock)
    problems += commands.update_assignment()
    failed = commands.run("autograde", "recording scores", "autograded", "*.ipynb", SCORES_LOST)
    problems += failed
    if reviewed:
        with open_gradebook(class_run.course) as book:
            manual_grades.restore_reviewed(book, class_run.lab.name, class_run.course, class_run.store.folder, reviewed)
    if feedback:
        problems += commands.run("generate_feedback", "feedback pages", "feedback", "*.html", PAGE_LOST)
    shutil.rmtree(staged)
    make_private(class_run.course)
    return Recorded(problems, complete=not failed)


class ClassCommands:
    """nbgrader's commands on a staged class."""

    def __init__(self, class_run: ClassRun, staged: Path, protected: bool, lock: int) -> None:
        """Prepare the arguments that all commands share.

        Args:
            class_run: The graded class.
            staged: The folder that `stage` wrote.
            protected: Whether a notebook runs in the sandbox.
            lock: The descriptor of the gradebook's lock, which nbgrader keeps open.
        """
        self.course, self.lab, self.lock = class_run.course, class_run.lab, lock
        self.students = [entry.student for entry in class_run.students if entry.grade is not None]
        self.started = staged.stat().st_mtime  # an older file is from an earlier run
        self.flags = [
            f"--CourseDirectory.submitted_directory={staged.name}",
            f"--Sandboxed.store={class_run.store.folder}",
            f"--Sandboxed.sandbox={'bwrap' if protected else 'none'}",
        ]

    def update_assignment(self) -> list[str]:
        """Let nbgrader read the lab's cells and points, and return what went wrong.

        Raises:
            GradebookError: nbgrader failed.
        """
        done = run_nbgrader(self.course, self.lab, "generate_assignment", *self.flags, keep_open=self.lock)
        if "Cannot add or remove cells" in done.stderr:
            return [
                f"the locked cells of {self.lab.name} have changed since grading began, "
                "so nbgrader keeps its old list of cells"
            ]
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise GradebookError(f"nbgrader generate_assignment failed, so no grade was written: {reason[:500]}")
        return []

    def run(self, command: str, what: str, folder: str, pattern: str, lost: str) -> list[str]:
        """Run a command that writes one file for each student, and return a line for each student without one.

        Args:
            command: Such as `autograde`.
            what: The text of the progress bar.
            folder: Where in the course the files are written.
            pattern: The glob pattern of a student's file.
            lost: What a missing file means, as a clause.
        """
        with progress_by_files(what, self.course / folder, f"*/{self.lab.name}/{pattern}", len(self.students)):
            run_nbgrader(self.course, self.lab, command, *self.flags, keep_open=self.lock)
        return [
            f"{student}: nbgrader {command} failed; {lost}"
            for student in self.students
            if not self.is_written(self.course / folder / student / self.lab.name, pattern)
        ]

    def is_written(self, folder: Path, pattern: str) -> bool:
        """Tell whether a folder has a file of this run."""
        return any(path.stat().st_mtime >= self.started for path in folder.glob(pattern))


def clear_stale_timestamps(class_run: ClassRun, book: Any, staged: Path) -> None:
    """Delete recorded submission times that no longer have a `timestamp.txt`, because nbgrader would keep them."""
    from nbgrader.api import MissingEntry

    for entry in class_run.students:
        if entry.grade is not None and not (staged / entry.student / class_run.lab.name / "timestamp.txt").exists():
            with contextlib.suppress(MissingEntry):
                book.find_submission(class_run.lab.name, entry.student).timestamp = None
    book.db.commit()


def outdated_scores(class_run: ClassRun, book: Any) -> list[str]:
    """Return a line for each student with a score in the gradebook from an earlier run, and no grade in this one."""
    lines = []
    for entry in class_run.students:
        score = recorded_score(book, class_run.lab, entry.student) if entry.grade is None else None
        if score is not None:
            lines.append(f"{entry.student}: not graded now; the {score:g} points in the gradebook are old")
    return lines


def recorded_score(book: Any, lab: Lab, student: str) -> float | None:
    """Return a student's score in the gradebook, or None if there is no submission."""
    from nbgrader.api import MissingEntry

    try:
        return book.find_submission(lab.name, student).score
    except MissingEntry:
        return None


def make_private(course: Path) -> None:
    """Make the gradebook and all student data of a course readable for their owner only."""
    for path in (course / "gradebook.db", *(course / name for name in PRIVATE)):
        if path.exists():
            path.chmod(0o700 if path.is_dir() else 0o600)
