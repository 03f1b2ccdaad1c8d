"""Brightspace (D2L): one folder for each submission, `39786-640693 - Ada Lovelace - Nov 30, 2026 914 PM/lab4.ipynb`.

"Download all submissions" of a folder in *Assignments* makes it; https://community.d2l.com documents the download.
The first number is the student's, the second is the assignment's. Older versions put the file into the same name, after
another ` - `. A colon in the time is left out, because Windows has none in names. Some institutions show their own
number before the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import dateutil.parser

from autograder.intake.lms.base import Layout, Owned, Source, SubmittedFile, each
from autograder.intake.names import display_name, student_id
from autograder.intake.people import person

# The first match counts (`??`): students choose what follows, and may imitate the folder of another student there.
BRIGHTSPACE = re.compile(
    r"(?:[^/]+/)??(?P<user>\d{1,20})-(?P<folder>\d{1,20}) ?- (?:(?P<number>[A-Za-z]{0,2}\d{4,20}) - )?"
    r"(?P<name>[^/]{1,200}?) ?- "
    r"(?P<time>[^/]{3,24}? \d{4},? [^/]{3,12}?)(?: ?- |/)(?P<file>.+)"
)
CLOCK = re.compile(r"(\d{1,2})[:.h ]*(\d\d)( ?[AaPp]\.?[Mm]\.?)?$")


def brightspace(source: Source) -> Iterator[Owned]:
    """Yield each entry of a Brightspace archive with the file of its student."""
    for entry in source.entries:
        found = BRIGHTSPACE.fullmatch(entry.filename)
        if found is None:
            yield entry, None
            continue
        student = student_id(found["number"]) if found["number"] else student_id(found["name"], found["user"])
        local = parse_local(found["time"])
        if local is None:
            shown = display_name(found["time"])
            source.log.note(entry.filename, f"its time '{shown}' cannot be read. No late penalty applies")
        file = SubmittedFile(
            student,
            entry.filename,
            attempt=(local or datetime.min,),
            time=source.utc(local) if local else None,
            lms="brightspace",
            user=found["user"],
            prefix=found.string[: found.start("file")],
            person=person(found["name"]),
        )
        yield entry, [file]


def parse_local(text: str) -> datetime | None:
    """Return a time as Brightspace writes it in English, `Nov 30, 2026 914 PM` or `30 November, 2026 2114`, or None."""
    try:
        return dateutil.parser.parse(CLOCK.sub(r"\1:\2\3", text), ignoretz=True)
    except (ValueError, OverflowError):
        return None


LAYOUT = Layout(
    "brightspace",
    "Brightspace",
    "12345-67890 - Name - Nov 30, 2026 914 PM/file.ipynb",
    each(lambda entry: BRIGHTSPACE.fullmatch(entry.filename)),
    brightspace,
)
