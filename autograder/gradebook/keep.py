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
from autograder.judging.class_run import Class, Entry
from autograder.progress import counting

TIME_BYTES = 200  # of a timestamp.txt


def keep_in_nbgrader(room: Class, protected: bool, feedback: bool = True) -> tuple[list[str], bool]:
    """nbgrader's own commands: the gradebook, then feedback pages.

    Returns:
        What went wrong, a line each; and whether every grade reached the gradebook.

    Raises:
        GradebookError: it cannot be read or written, or another run is writing it.
    """
    with alone(room.course) as lock:
        return write_grades(room, protected, feedback, lock)


def write_grades(room: Class, protected: bool, feedback: bool, lock: int) -> tuple[list[str], bool]:
    for name in ("submitted", "autograded", "feedback"):  # before anything of a student lies in there
        (room.course / name).mkdir(mode=0o700, exist_ok=True)
    lay_out(room)
    staged = room.course / f".staged-{room.lab.name}"
    shutil.rmtree(staged, ignore_errors=True)  # of a run that was killed
    problems = stage(room, staged)
    flags = [
        f"--CourseDirectory.submitted_directory={staged.name}",
        f"--Sandboxed.store={room.store.folder}",
        f"--Sandboxed.sandbox={'bwrap' if protected else 'none'}",
    ]
    looked = set()
    if has_gradebook(room.course):
        with open_gradebook(room.course) as book:
            problems += old_scores(room, book)
            forget_times(room, book, staged)
            looked = by_hand.remember(book, room.lab.name, room.course, room.store.folder)
    graded = [entry.student for entry in room.entries if entry.grade is not None]

    def for_each_student(command: str, what: str, folder: str, pattern: str, lost: str) -> bool:
        began = staged.stat().st_mtime  # what is older was there before
        with counting(what, room.course / folder, f"*/{room.lab.name}/{pattern}", len(graded)):
            nbgrader(room.course, room.lab, command, *flags, keep_open=lock)
        failed = [
            student
            for student in graded
            if not any(
                page.stat().st_mtime >= began for page in (room.course / folder / student / room.lab.name).glob(pattern)
            )
        ]
        problems.extend(f"{student}: nbgrader {command} failed; {lost}" for student in failed)
        return not failed

    made = nbgrader(room.course, room.lab, "generate_assignment", *flags, keep_open=lock)
    if "Cannot add or remove cells" in made.stderr:
        problems.append(
            f"{room.lab.name} has other locked cells than when grading began; nbgrader's own list of cells stays as it was"
        )
    elif made.returncode != 0:
        words = (made.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise GradebookError(f"nbgrader generate_assignment failed, so no grade was written: {words[:500]}")
    old = "scores in the gradebook, if any, are old"
    whole = for_each_student("autograde", "keeping scores", "autograded", "*.ipynb", old)
    if looked:
        with open_gradebook(room.course) as book:
            by_hand.put_back(book, room.lab.name, room.course, room.store.folder, looked)
    if feedback:
        for_each_student("generate_feedback", "feedback pages", "feedback", "*.html", "there is no feedback page")
    shutil.rmtree(staged)
    for private in (
        room.course / "gradebook.db",
        *(room.course / d for d in ("submitted", "autograded", "feedback", "report")),
    ):
        if private.exists():
            private.chmod(0o700 if private.is_dir() else 0o600)
    return problems, whole


def forget_times(room: Class, book: Any, staged: Path) -> None:
    """Who has no time of arrival now is not late: nbgrader would keep an earlier run's."""
    from nbgrader.api import MissingEntry

    for entry in room.entries:
        if entry.grade is not None and not (staged / entry.student / room.lab.name / "timestamp.txt").exists():
            with contextlib.suppress(MissingEntry):
                book.find_submission(room.lab.name, entry.student).timestamp = None
    book.db.commit()


def old_scores(room: Class, book: Any) -> list[str]:
    """Students who have scores in the gradebook from an earlier run, and no grade in this one."""
    from nbgrader.api import MissingEntry

    lines: list[str] = []
    for entry in room.entries:
        if entry.grade is None:
            try:
                score = book.find_submission(room.lab.name, entry.student).score
            except MissingEntry:
                continue
            lines.append(f"{entry.student}: not graded now; the {score:g} points in the gradebook are old")
    return lines


def lay_out(room: Class) -> None:
    """Copy readable submissions to where formgrader looks, under their proper names, unless they lie there already."""
    submitted = room.course / "submitted"
    for entry in room.entries:
        if entry.submission is None or entry.path.resolve().is_relative_to(submitted.resolve()):
            continue
        target = submitted / entry.student / room.lab.name / f"{room.lab.name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(entry.path, target)
        (target.parent / "timestamp.txt").unlink(missing_ok=True)  # of an earlier attempt
        if stamp := stamp_of(entry):  # for late penalties
            shutil.copy(stamp, target.parent)


def stamp_of(entry: Entry) -> Path | None:
    """The file with the time of arrival, if it is one: what a link beside a notebook points to is not the student's."""
    stamp = entry.path.parent / "timestamp.txt"
    return stamp if stamp.is_file() and not stamp.is_symlink() else None


def stage(room: Class, folder: Path) -> list[str]:
    """What nbgrader gets to see: of each graded student one notebook, tidy, and the time of arrival if it is one.

    A pipe, a link, a file that lies beside or an old encoding would stop it, or be copied to what students get back.
    Returns what was left out, a line each.
    """
    from nbgrader.utils import parse_utc

    problems = []
    folder.mkdir(mode=0o700)
    for entry in room.entries:
        if entry.grade is None:
            continue
        place = folder / entry.student / room.lab.name
        place.mkdir(parents=True)
        notebook = nbformat.writes(open_notebook(entry.path)[0])
        (place / f"{room.lab.name}.ipynb").write_text(notebook, encoding="utf-8")
        if stamp := stamp_of(entry):
            try:
                with stamp.open(encoding="utf-8") as file:
                    arrival = file.read(TIME_BYTES).strip()
                parse_utc(arrival)
            except (OSError, ValueError, OverflowError):
                problems.append(f"{entry.student}: its timestamp.txt holds no time; it counts as handed in in time")
            else:
                (place / "timestamp.txt").write_text(arrival + "\n", encoding="utf-8")
    return problems
