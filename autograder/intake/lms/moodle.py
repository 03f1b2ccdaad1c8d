"""Moodle: one folder for each participant, and the submission times in a grading worksheet.

Moodle builds the names in `assign::download_submissions` (mod/assign/locallib.php of github.com/moodle/moodle), and
the worksheet in mod/assign/feedback/offline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from autograder.intake.lms.base import Layout, Owned, Source, SubmittedFile, each
from autograder.intake.names import student_id
from autograder.intake.people import person

# Name Surname_12345_assignsubmission_file/x.ipynb; before Moodle 4.1 …_file_/x.ipynb; without folders …_file_x.ipynb
# The shortest name counts: students choose what follows, and may imitate the name of another student there.
# It begins with the name of a folder or a file: tried at every letter, a long name would take quadratic time.
MOODLE = re.compile(
    r"(?<![^/])(?P<name>[^/]+?)_(?P<user>[0-9]{1,20})_assignsubmission_(?:file|onlinetext)(?:/|_/?)(?P<file>.+)"
)


def moodle(source: Source) -> Iterator[Owned]:
    """Yield each entry of a Moodle archive with the file of its student.

    The archive holds the latest submission of each student alone, so all files of a student are of one submission.
    """
    for entry in source.entries:
        match = MOODLE.search(entry.filename)  # not fullmatch: group mode adds a folder around everything
        if match is None:
            yield entry, None
            continue
        file = SubmittedFile(
            student_id(match["name"], match["user"]),
            entry.filename,
            order=(entry.date_time,),
            lms="moodle",
            user=match["user"],
            prefix=match.string[: match.start("file")],
            person=person(match["name"]),
        )
        yield entry, [file]


LAYOUT = Layout(
    "moodle",
    "Moodle",
    "Name_12345_assignsubmission_file_/…",
    each(lambda entry: MOODLE.search(entry.filename)),
    moodle,
)
