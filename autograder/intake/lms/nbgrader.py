"""nbgrader's own layout, `submitted/STUDENT/ASSIGNMENT/notebook.ipynb`, with the time in `timestamp.txt`.

https://nbgrader.readthedocs.io/en/stable/user_guide/philosophy.html documents it. The folder `submitted` may be
missing, and folders around it do not matter.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime

from autograder.errors import BadArchive
from autograder.intake.lms.base import Layout, Owned, Source, SubmittedFile
from autograder.intake.names import display_name, student_id
from autograder.intake.times import parse_time
from autograder.intake.zips import read_entry, rejection_reason
from utils.labs import LABS

STAMP = "timestamp.txt"
MAX_STAMP = 200  # bytes
ASSIGNMENTS = "|".join(map(re.escape, LABS.values()))
SUBMITTED = re.compile(
    rf"(?P<outer>(?:[^/]+/){{0,4}}?)(?P<student>[^/]+)/(?P<assignment>{ASSIGNMENTS})/(?P<file>[^/]+)"
)
NO_STUDENTS = ("labs", "source", "release", "solutions")  # folders of a course that hold assignments, too


def matches(entries: list[zipfile.ZipInfo]) -> dict[str, re.Match[str]]:
    """Return the parts of each name that has this layout; {} if the files do not lie in one folder of students.

    A whole course also has `autograded`, `release` and others, so if one folder is called `submitted`, it alone counts.
    """
    found = {entry.filename: match for entry in entries if (match := SUBMITTED.fullmatch(entry.filename))}
    submitted = {name: match for name, match in found.items() if match["outer"].endswith("submitted/")}
    found = submitted or found
    outers = {match["outer"] for match in found.values()}
    students = {match["student"] for match in found.values()}
    return found if len(outers) == 1 and not students & {*NO_STUDENTS} else {}


def nbgrader(source: Source) -> Iterator[Owned]:
    """Yield each file in an assignment's folder with its student and its time."""
    found = matches(source.entries)
    times = {
        entry.filename.removesuffix(STAMP): read_stamp(source, entry)
        for entry in source.entries
        if entry.filename in found and entry.filename.endswith(f"/{STAMP}")
    }
    for entry in source.entries:
        match = found.get(entry.filename)
        if match is None or match["file"] == STAMP:
            continue
        time = times.get(entry.filename.removesuffix(match["file"]))
        yield entry, [SubmittedFile(student_id(match["student"]), entry.filename, time=time, lms="nbgrader")]


def read_stamp(source: Source, entry: zipfile.ZipInfo) -> datetime | None:
    """Return the time in a `timestamp.txt`; None, with a note, if there is none that can be read."""
    try:
        if reason := rejection_reason(entry):
            raise BadArchive(reason)
        text = read_entry(source.archive, entry, MAX_STAMP).decode("utf-8-sig", errors="replace")
        return parse_time(text)
    except ValueError as error:
        why = str(error) if isinstance(error, BadArchive) else f"'{display_name(text)}' is no time"
        source.log.note(entry.filename, f"{why}. No late penalty applies")
        return None


LAYOUT = Layout(
    "nbgrader",
    "nbgrader",
    "submitted/STUDENT/lab4_mnist_cfg/lab4_mnist_cfg.ipynb",
    lambda entries: len(matches(entries)),
    nbgrader,
    whole_folders=True,
)
