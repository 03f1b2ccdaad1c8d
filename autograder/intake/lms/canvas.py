"""Canvas: `sortablename_12345_678901_file-2.ipynb`."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from autograder.intake.lms.base import Owned, SubmittedFile
from autograder.intake.names import student_id

# The student's name, the student's number, the attachment's number, the file's name. LATE follows the name of a late
# submission; in an anonymous assignment the name is `anon` and the number is five letters.
CANVAS = re.compile(
    r"(?P<name>.+?)_(?P<late>LATE_)?(?P<user>[0-9]{1,20}|(?<=anon_)\w{5}|(?<=anon_LATE_)\w{5})_(?P<number>[0-9]{1,20})_(?P<file>.+)"
)


def canvas(entries: Iterable[zipfile.ZipInfo]) -> Iterator[Owned]:
    """Yield each entry of a Canvas archive with the file of its student."""
    for entry in entries:
        match = CANVAS.fullmatch(PurePosixPath(entry.filename).name)
        if match is None:
            yield entry, None
            continue
        copy = re.search(r"-([0-9]{1,9})\.\w+$", match["file"])  # file-2.ipynb is the third of its name
        attempt = (int(match["number"]), int(copy[1]) if copy else 0)
        student = student_id(match["name"].removesuffix("_LATE"), match["user"])
        prefix = match.string[: match.start("file")]
        late = bool(match["late"])
        yield entry, [SubmittedFile(student, entry.filename, b"", attempt, late=late, lms="canvas", prefix=prefix)]
