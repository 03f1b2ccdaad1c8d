"""Lay out submissions for nbgrader: tidy notebooks and valid submission times, and nothing else.

A pipe, a link, another file beside a notebook, or an old encoding would stop nbgrader, or would be copied into the
feedback.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from autograder.course.labs import Lab
from autograder.errors import NotANotebook
from autograder.gradebook.grade_handover import hand_grade
from autograder.gradebook.times import NBGRADERS
from autograder.intake.bounded_reading import Reader
from autograder.intake.times import UnknownTimeZone, parse_time
from autograder.judging.class_run import ClassRun, StudentRun

TIME_BYTES = 200  # read of a timestamp.txt
SECRET = "submission_secret.txt"  # nbgrader's exchange names a student's feedback by it
SECRET_BYTES = 200


def copy_to_submitted(class_run: ClassRun) -> None:
    """Copy readable submissions to where formgrader looks, under their students' ids, unless they are there already."""
    submitted = class_run.course / "submitted"
    for entry in class_run.students:
        if entry.submission is None or entry.path.resolve().is_relative_to(submitted.resolve()):
            continue
        target = submitted / entry.student / class_run.lab.name / f"{class_run.lab.name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(entry.path, target)
        (target.parent / "timestamp.txt").unlink(missing_ok=True)  # of an earlier attempt
        if stamp := timestamp_file(entry):  # for late penalties
            shutil.copy(stamp, target.parent)


def timestamp_file(entry: StudentRun) -> Path | None:
    """Return the file with the submission time, if there is one."""
    return file_beside(entry, "timestamp.txt")


def file_beside(entry: StudentRun, name: str) -> Path | None:
    """Return the file of this name beside a notebook, if there is one.

    A link does not count: what a link beside a notebook points to is not the student's.
    """
    path = entry.path.parent / name
    return path if path.is_file() and not path.is_symlink() else None


def stage(class_run: ClassRun, folder: Path) -> list[str]:
    """Write one tidy notebook for each graded student, with the submission time if it is valid.

    Args:
        class_run: The graded class.
        folder: The folder to write; it must not exist.

    Returns:
        One line for each submission time that is not valid.
    """
    problems = []
    folder.mkdir(mode=0o700)
    with Reader() as reader:
        for entry in class_run.students:
            if entry.grade is not None:
                problems += stage_student(class_run.lab, entry, folder, reader)
    return problems


def stage_student(lab: Lab, entry: StudentRun, folder: Path, reader: Reader) -> list[str]:
    """Write the tidy notebook of one student; the arguments are those of `stage`.

    Returns:
        A line for each thing that is wrong.
    """
    try:
        notebook = reader.tidy(entry.path)
    except NotANotebook as error:  # it was replaced since it was graded, or it is too large to be kept twice
        return [f"{entry.student}: {error}"]
    place = folder / entry.student / lab.name
    place.mkdir(parents=True)
    (place / f"{lab.name}.ipynb").write_text(notebook, encoding="utf-8")
    hand_grade(entry, folder)
    if secret := exchange_secret(entry):
        (place / SECRET).write_text(secret, encoding="utf-8")
    if stamp := timestamp_file(entry):
        try:
            (place / "timestamp.txt").write_text(read_time(stamp) + "\n", encoding="utf-8")
        except UnknownTimeZone as error:
            return [f"{entry.student}: its timestamp.txt: {error}. No late penalty applies until then"]
        except (OSError, ValueError):
            return [f"{entry.student}: its timestamp.txt holds no time, so no late penalty applies"]
    return []


def read_time(stamp: Path) -> str:
    """Return the submission time in a file, in UTC and in nbgrader's format.

    Raises:
        UnknownTimeZone: Its zone cannot be resolved. nbgrader would count it as UTC.
        ValueError: It is no time.
        OSError: It cannot be read.
    """
    with stamp.open(encoding="utf-8") as file:
        return parse_time(file.read(TIME_BYTES).strip()).strftime(NBGRADERS)


def exchange_secret(entry: StudentRun) -> str | None:
    """Return the secret that `nbgrader submit` wrote beside a notebook, or None.

    `nbgrader release_feedback` needs it beside the feedback page. A link or another kind of text is not copied.
    """
    path = file_beside(entry, SECRET)
    if path is None or path.stat().st_size > SECRET_BYTES:
        return None
    secret = path.read_text(encoding="utf-8", errors="replace")
    return secret if re.fullmatch(r"[A-Za-z0-9+/=_-]+\s*", secret) else None
