"""Let nbgrader keep the grades of a class: stage the submissions, run its commands, restore what a person graded."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import nbformat

from autograder.errors import GradebookError
from autograder.gradebook import manual_grades as by_hand
from autograder.gradebook.nbgrader import alone, has_gradebook, nbgrader, open_gradebook
from autograder.intake.notebook import open_notebook
from autograder.judging.class_run import ClassRun, StudentRun
from autograder.progress import counting

TIME_BYTES = 200  # of a timestamp.txt


def keep_in_nbgrader(class_run: ClassRun, protected: bool, feedback: bool = True) -> tuple[list[str], bool]:
    """nbgrader's own commands: the gradebook, then feedback pages.

    Returns:
        What went wrong, a line each; and whether every grade reached the gradebook.

    Raises:
        GradebookError: it cannot be read or written, or another run is writing it.
    """
    with alone(class_run.course) as lock:
        return write_grades(class_run, protected, feedback, lock)


def write_grades(class_run: ClassRun, protected: bool, feedback: bool, lock: int) -> tuple[list[str], bool]:
    for name in ("submitted", "autograded", "feedback"):  # before anything of a student lies in there
        (class_run.course / name).mkdir(mode=0o700, exist_ok=True)
    lay_out(class_run)
    staged = class_run.course / f".staged-{class_run.lab.name}"
    shutil.rmtree(staged, ignore_errors=True)  # of a run that was killed
    problems = stage(class_run, staged)
    flags = [
        f"--CourseDirectory.submitted_directory={staged.name}",
        f"--Sandboxed.store={class_run.store.folder}",
        f"--Sandboxed.sandbox={'bwrap' if protected else 'none'}",
    ]
    looked = set()
    if has_gradebook(class_run.course):
        with open_gradebook(class_run.course) as book:
            problems += old_scores(class_run, book)
            forget_times(class_run, book, staged)
            looked = by_hand.remember(book, class_run.lab.name, class_run.course, class_run.store.folder)
    graded = [student_run.student for student_run in class_run.students if student_run.grade is not None]

    def for_each_student(command: str, what: str, folder: str, pattern: str, lost: str) -> bool:
        began = staged.stat().st_mtime  # what is older was there before
        with counting(what, class_run.course / folder, f"*/{class_run.lab.name}/{pattern}", len(graded)):
            nbgrader(class_run.course, class_run.lab, command, *flags, keep_open=lock)
        failed = [
            student
            for student in graded
            if not any(
                page.stat().st_mtime >= began
                for page in (class_run.course / folder / student / class_run.lab.name).glob(pattern)
            )
        ]
        problems.extend(f"{student}: nbgrader {command} failed; {lost}" for student in failed)
        return not failed

    made = nbgrader(class_run.course, class_run.lab, "generate_assignment", *flags, keep_open=lock)
    if "Cannot add or remove cells" in made.stderr:
        problems.append(
            f"{class_run.lab.name} has other locked cells than when grading began; nbgrader's own list of cells stays as it was"
        )
    elif made.returncode != 0:
        words = (made.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise GradebookError(f"nbgrader generate_assignment failed, so no grade was written: {words[:500]}")
    old = "scores in the gradebook, if any, are old"
    whole = for_each_student("autograde", "keeping scores", "autograded", "*.ipynb", old)
    if looked:
        with open_gradebook(class_run.course) as book:
            by_hand.put_back(book, class_run.lab.name, class_run.course, class_run.store.folder, looked)
    if feedback:
        for_each_student("generate_feedback", "feedback pages", "feedback", "*.html", "there is no feedback page")
    shutil.rmtree(staged)
    for private in (
        class_run.course / "gradebook.db",
        *(class_run.course / d for d in ("submitted", "autograded", "feedback", "report")),
    ):
        if private.exists():
            private.chmod(0o700 if private.is_dir() else 0o600)
    return problems, whole


def forget_times(class_run: ClassRun, book: Any, staged: Path) -> None:
    """Who has no time of arrival now is not late: nbgrader would keep an earlier run's."""
    from nbgrader.api import MissingEntry

    for student_run in class_run.students:
        if (
            student_run.grade is not None
            and not (staged / student_run.student / class_run.lab.name / "timestamp.txt").exists()
        ):
            with contextlib.suppress(MissingEntry):
                book.find_submission(class_run.lab.name, student_run.student).timestamp = None
    book.db.commit()


def old_scores(class_run: ClassRun, book: Any) -> list[str]:
    """Students who have scores in the gradebook from an earlier run, and no grade in this one."""
    from nbgrader.api import MissingEntry

    lines: list[str] = []
    for student_run in class_run.students:
        if student_run.grade is None:
            try:
                score = book.find_submission(class_run.lab.name, student_run.student).score
            except MissingEntry:
                continue
            lines.append(f"{student_run.student}: not graded now; the {score:g} points in the gradebook are old")
    return lines


def lay_out(class_run: ClassRun) -> None:
    """Copy readable submissions to where formgrader looks, under their proper names, unless they lie there already."""
    submitted = class_run.course / "submitted"
    for student_run in class_run.students:
        if student_run.submission is None or student_run.path.resolve().is_relative_to(submitted.resolve()):
            continue
        target = submitted / student_run.student / class_run.lab.name / f"{class_run.lab.name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(student_run.path, target)
        (target.parent / "timestamp.txt").unlink(missing_ok=True)  # of an earlier attempt
        if stamp := stamp_of(student_run):  # for late penalties
            shutil.copy(stamp, target.parent)


def stamp_of(student_run: StudentRun) -> Path | None:
    """The file with the time of arrival, if it is one: what a link beside a notebook points to is not the student's."""
    stamp = student_run.path.parent / "timestamp.txt"
    return stamp if stamp.is_file() and not stamp.is_symlink() else None


def stage(class_run: ClassRun, folder: Path) -> list[str]:
    """What nbgrader gets to see: of each graded student one notebook, tidy, and the time of arrival if it is one.

    A pipe, a link, a file that lies beside or an old encoding would stop it, or be copied to what students get back.
    Returns what was left out, a line each.
    """
    from nbgrader.utils import parse_utc

    problems = []
    folder.mkdir(mode=0o700)
    for student_run in class_run.students:
        if student_run.grade is None:
            continue
        place = folder / student_run.student / class_run.lab.name
        place.mkdir(parents=True)
        notebook = nbformat.writes(open_notebook(student_run.path)[0])
        (place / f"{class_run.lab.name}.ipynb").write_text(notebook, encoding="utf-8")
        if stamp := stamp_of(student_run):
            try:
                with stamp.open(encoding="utf-8") as file:
                    arrival = file.read(TIME_BYTES).strip()
                parse_utc(arrival)
            except (OSError, ValueError, OverflowError):
                problems.append(
                    f"{student_run.student}: its timestamp.txt holds no time; it counts as handed in in time"
                )
            else:
                (place / "timestamp.txt").write_text(arrival + "\n", encoding="utf-8")
    return problems
