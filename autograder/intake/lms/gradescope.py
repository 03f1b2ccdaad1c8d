"""Gradescope: one folder for each submission, and one file that names the students of all of them.

"Export Submissions" of an assignment makes it; https://guides.gradescope.com documents the export. Ids, names, e-mail
addresses and times stand in `submission_metadata.yml`.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath

import yaml

from autograder.errors import BadArchive
from autograder.intake.lms.base import Layout, Owned, Source, SubmittedFile
from autograder.intake.names import display_name, student_id
from autograder.intake.people import person
from autograder.intake.times import parse_time
from autograder.intake.zips import Opens, read_entry, rejection_reason

GRADESCOPE = "submission_metadata.yml"
METADATA = re.compile(rf"(?:assignment_[^/]*export/)?{re.escape(GRADESCOPE)}")
MAX_METADATA = 64 * 2**20  # bytes; a class of 5,000 with ten attempts each has some 10 MiB
MAX_ITEMS = 600_000  # of YAML, which takes about 1 KB of memory for each
MAX_SUBMITTERS = 200  # of one submission
NOTHING = ("", "~", "null")  # YAML's words for no value
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every value is text: an id such as 00123 is no number


def find_metadata(entries: list[zipfile.ZipInfo]) -> zipfile.ZipInfo | None:
    """Return Gradescope's own metadata, at the top of the archive; a student's file of this name does not count."""
    return next((entry for entry in entries if METADATA.fullmatch(entry.filename)), None)


def gradescope(source: Source) -> Iterator[Owned]:
    """Yield each entry of a Gradescope archive with one file for each student of its group.

    Raises:
        BadArchive: The metadata cannot be read.
    """
    listed = find_metadata(source.entries)
    assert listed is not None  # the layout was recognised by it
    metadata = read_metadata(source.archive, listed)
    times = {folder: submission_time(folder, about, source) for folder, about in metadata.items()}
    for entry in source.entries:
        if entry.filename.endswith(GRADESCOPE):
            continue
        folder = next((p for p in PurePosixPath(entry.filename).parts if p.startswith("submission_")), "")
        about = metadata.get(folder)
        people = submitters(about) if isinstance(about, dict) else []
        time = times.get(folder)
        attempt = (time.timestamp() if time else 0.0, folder)
        files = [
            SubmittedFile(
                submitter_id(one),
                entry.filename,
                attempt=attempt,
                time=time,
                lms="gradescope",
                person=person(text_of(one, ":name"), text_of(one, ":email")),
            )
            for one in people
        ]
        yield entry, files or None


def submission_time(folder: str, about: object, source: Source) -> datetime | None:
    """Return the time of a submission in UTC; None, with a note, if it cannot be read or names an unknown zone."""
    text = text_of(about, ":created_at") if isinstance(about, dict) else ""
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        why = str(error) if isinstance(error, BadArchive) else f"the time '{display_name(text)}' cannot be read"
        source.log.note(f"{GRADESCOPE}, {folder}", f"{why}. No late penalty applies")
        return None


def read_metadata(zipped: Opens, listed: zipfile.ZipInfo) -> dict:
    """Return Gradescope's metadata: the name of a submission's folder -> its description.

    Raises:
        BadArchive: The file is hostile, damaged or no such metadata.
    """
    if reason := rejection_reason(listed):
        raise BadArchive(f"{GRADESCOPE} was rejected: {reason}")
    try:
        raw = read_entry(zipped, listed, MAX_METADATA)
        require_bounded(raw)
        metadata = yaml.load(raw, LOADER)
    except BadArchive as error:
        raise BadArchive(f"{GRADESCOPE} cannot be read: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadArchive(f"{GRADESCOPE} cannot be read ({type(error).__name__})") from error
    if not isinstance(metadata, dict):
        raise BadArchive(f"{GRADESCOPE} cannot be read: it must be a mapping, not a {type(metadata).__name__}")
    return metadata


def require_bounded(raw: bytes) -> None:
    """Count the items of a YAML file before it is loaded, and reject aliases: a few of them can stand for billions.

    Raises:
        BadArchive: It has an alias or too many items.
    """
    for number, event in enumerate(yaml.parse(raw, LOADER)):
        if isinstance(event, yaml.AliasEvent):
            raise BadArchive("it refers to a part of itself, as Gradescope's files never do")
        if number > MAX_ITEMS:
            raise BadArchive(f"it has more than {MAX_ITEMS:,} items")


def submitters(about: dict) -> list[dict]:
    """Return the students of a submission; none if there are more than any group has, or no list."""
    people = about.get(":submitters")
    people = people if isinstance(people, list) and len(people) <= MAX_SUBMITTERS else []
    return [person for person in people if isinstance(person, dict)]


def submitter_id(one: dict) -> str:
    """Return the id of a student: from the student number, else the e-mail address, else the name."""
    return student_id(next(filter(None, (text_of(one, key) for key in (":sid", ":email", ":name"))), ""))


def text_of(about: dict, key: str) -> str:
    """Return a value of the metadata, or "" if it is none or no text."""
    value = about.get(key)
    return value if isinstance(value, str) and value not in NOTHING else ""


LAYOUT = Layout(
    "gradescope",
    "Gradescope",
    GRADESCOPE,
    lambda entries: len(entries) if find_metadata(entries) else 0,
    gradescope,
)
