"""A folder of notebooks: `STUDENT.ipynb`, `STUDENT.zip`, or a folder for each student with any files in it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from autograder.intake.lms.base import Layout, Owned, Source, SubmittedFile, each
from autograder.intake.names import may_be_notebook, stem, student_id
from utils.labs import LABS

# `lab4_mnist_cfg_ada.ipynb` is ada's, and `lab4 (1).ipynb` says nothing about its student.
NAMES = "|".join(re.escape(name) for name in (*LABS.values(), *LABS))
LAB_NAME = re.compile(rf"(?:^|(?<=[ _.-]))(?:copy of )?(?:{NAMES})(?: ?\(\d{{1,4}}\))?(?=$|[ _.-])", re.IGNORECASE)


def plain(source: Source) -> Iterator[Owned]:
    """Yield each file of a folder with its student; a file whose name says nothing about a student has none."""
    depth = common_depth(source.entries)
    for entry in source.entries:
        student = owner(PurePosixPath(entry.filename).parts[depth:])
        yield entry, [SubmittedFile(student_id(student), entry.filename, lms="plain")] if student else None


def owner(parts: tuple[str, ...]) -> str:
    """Return the name of the student to whom a file belongs, or "".

    Args:
        parts: The file's path below the folder of the class.
    """
    if len(parts) > 1:
        return parts[0]
    return LAB_NAME.sub("", stem(parts[0])).strip(" _.-") if parts else ""


def common_depth(entries: list[zipfile.ZipInfo]) -> int:
    """Return how many folders enclose the whole class.

    A folder that holds everything is the class's, unless the names inside it say nothing about a student: then it is
    the folder of the only student.
    """
    paths = [PurePosixPath(entry.filename).parts for entry in entries if is_submission(entry)]
    depth = 0
    while paths and all(len(parts) > depth + 1 for parts in paths) and len({parts[depth] for parts in paths}) == 1:
        if not any(owner(parts[depth + 1 :]) for parts in paths):
            break
        depth += 1
    return depth


def is_submission(entry: zipfile.ZipInfo) -> bool:
    """Tell whether a file may hold a notebook."""
    return may_be_notebook(entry.filename) or entry.filename.lower().endswith(".zip")


LAYOUT = Layout(
    "plain",
    "a folder of notebooks",
    "STUDENT.ipynb or STUDENT/file.ipynb",
    each(is_submission),
    plain,
    whole_folders=True,
)
