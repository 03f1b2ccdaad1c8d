"""Blackboard: `Lab 4_alovelace_attempt_2026-11-30-21-14-05_lab4.ipynb`, and a receipt without the last part, `….txt`.

"Assignment File Download" in the Grade Center makes it. nbgrader documents the names for `FileNameCollectorPlugin`
(https://nbgrader.readthedocs.io/en/stable/plugins/zipcollect-plugin.html). The receipt begins with the student's name:
`Name: Ada Lovelace (alovelace)`.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath

from autograder.errors import BadArchive
from autograder.intake.lms.base import Layout, Owned, Source, SubmittedFile, each
from autograder.intake.names import student_id
from autograder.intake.people import Person, person
from autograder.intake.zips import read_entry, rejection_reason

# The first `_attempt_` counts: students choose what follows, and may imitate the name of another student there.
BLACKBOARD = re.compile(r"(?P<head>.+?)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+)|\.txt)")
RECEIPT = re.compile(r"[^:\n]{1,40}:(?P<name>[^\n]{1,200})\((?P<user>[^()\n]{1,100})\)[ \t\r]{0,9}(?:\n|$)")
MAX_RECEIPT = 2**20  # bytes; it holds what the student typed, too


def match(entry: zipfile.ZipInfo) -> re.Match[str] | None:
    """Return the parts of an entry's name, or None if Blackboard did not make it."""
    return BLACKBOARD.fullmatch(PurePosixPath(entry.filename).name)


def blackboard(source: Source) -> Iterator[Owned]:
    """Yield each entry of a Blackboard archive with the file of its student; receipts are read and left out."""
    receipts = read_receipts(source)
    for entry in source.entries:
        found = match(entry)
        if found is None:
            yield entry, None
            continue
        user, who = receipts.get(found["head"], (found["head"].rpartition("_")[2], None))
        try:
            local = datetime.strptime(found["time"], "%Y-%m-%d-%H-%M-%S")
        except ValueError:
            yield entry, None
            continue
        if found["file"] is None:
            source.log.students.add(student_id(user))
            continue
        file = SubmittedFile(
            student_id(user),
            entry.filename,
            attempt=(local,),
            time=source.utc(local),
            lms="blackboard",
            user=user,
            prefix=found.string[: found.start("file")],
            person=who,
        )
        yield entry, [file]


def read_receipts(source: Source) -> dict[str, tuple[str, Person]]:
    """Return the user name and the person of each receipt, by what its file name begins with.

    Only the receipt tells a user name with an underscore from the end of the assignment's name.
    """
    receipts = {}
    for entry in source.entries:
        found = match(entry)
        if found is None or found["file"] is not None or rejection_reason(entry):
            continue
        try:
            text = read_entry(source.archive, entry, MAX_RECEIPT).decode("utf-8-sig", errors="replace")
        except BadArchive:
            continue
        first = RECEIPT.match(text)
        if first and found["head"].endswith(f"_{first['user']}"):
            receipts[found["head"]] = first["user"], person(first["name"])
    return receipts


LAYOUT = Layout(
    "blackboard",
    "Blackboard",
    "Lab 4_user_attempt_2026-11-30-21-14-05_file.ipynb",
    each(match),
    blackboard,
)
