"""Canvas: `sortablename_12345_678901_file-2.ipynb`.

Canvas builds the name in `ContentZipper` (app/models/content_zipper.rb of github.com/instructure/canvas-lms). It holds
the sortable name in lower case and without spaces, so that a last name cannot be told from a first name.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from autograder.intake.lms.base import Layout, Owned, Source, SubmittedFile, each
from autograder.intake.names import student_id
from autograder.intake.people import Person, clean_name

# The student's name, the student's number, the attachment's number, the file's name. LATE follows the name of a late
# submission; in an anonymous assignment the name is `anon` and the number is five letters.
CANVAS = re.compile(
    r"(?P<name>.+?)_(?P<late>LATE_)?(?P<user>[0-9]{1,20}|(?<=anon_)\w{5}|(?<=anon_LATE_)\w{5})_(?P<number>[0-9]{1,20})_(?P<file>.+)"
)


def match(entry: zipfile.ZipInfo) -> re.Match[str] | None:
    """Return the parts of an entry's name, or None if Canvas did not make it."""
    return CANVAS.fullmatch(PurePosixPath(entry.filename).name)


def canvas(source: Source) -> Iterator[Owned]:
    """Yield each entry of a Canvas archive with the file of its student.

    The archive holds the latest submission of each student alone, so all files of a student are of one submission.
    """
    for entry in source.entries:
        found = match(entry)
        if found is None:
            yield entry, None
            continue
        copy = re.search(r"-([0-9]{1,9})\.\w+$", found["file"])  # file-2.ipynb is the third of its name
        name = found["name"].removesuffix("_LATE")
        file = SubmittedFile(
            student_id(name, found["user"]),
            entry.filename,
            order=(int(found["number"]), int(copy[1]) if copy else 0),
            late=bool(found["late"]),
            lms="canvas",
            user=found["user"],
            prefix=found.string[: found.start("file")],
            person=None if name == "anon" else Person(last_name=clean_name(name)),
        )
        yield entry, [file]


LAYOUT = Layout(
    "canvas",
    "Canvas",
    "name_12345_67890_file.ipynb",
    each(match),
    canvas,
)
