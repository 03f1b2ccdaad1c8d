"""Canvas: `sortablename_12345_678901_file-2.ipynb`."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from autograder.intake.lms.base import File, student_id

# sortablename_12345_678901_file-2.ipynb: the student, the attachment, the file; LATE after the name, `anon` for a name.
CANVAS = re.compile(
    r"(?P<name>.+?)_(?P<late>LATE_)?(?P<user>\d+|(?<=anon_)\w{5}|(?<=anon_LATE_)\w{5})_(?P<number>\d+)_(?P<file>.+)"
)


def canvas(entries):
    for entry in entries:
        match = CANVAS.fullmatch(PurePosixPath(entry.filename).name)
        if match is None:
            yield entry, None
            continue
        copy = re.search(r"-(\d+)\.\w+$", match["file"])  # file-2.ipynb is the third of its name
        attempt = (int(match["number"]), int(copy[1]) if copy else 0)
        student = student_id(match["name"].removesuffix("_LATE"), match["user"])
        prefix = match.string[: match.start("file")]
        file = File(student, entry.filename, b"", attempt, late=bool(match["late"]), lms="canvas", prefix=prefix)
        yield entry, [file]
