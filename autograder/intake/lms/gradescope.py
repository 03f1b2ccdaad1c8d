"""Gradescope: one folder for each submission, and one file that names the students of all of them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath

import yaml

from autograder.errors import BadArchive
from autograder.intake.lms.base import Owned, SubmittedFile
from autograder.intake.names import student_id
from autograder.intake.zips import read_entry, rejection_reason

GRADESCOPE = "submission_metadata.yml"
MAX_METADATA = 64 * 2**20  # bytes; a class of 5,000 with ten attempts each has some 10 MiB
MAX_ITEMS = 600_000  # of YAML, which takes about 1 KB of memory for each
MAX_SUBMITTERS = 200  # of one submission
NOTHING = ("", "~", "null")  # YAML's words for no value
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every value is text: an id such as 00123 is no number


def gradescope(zipped: zipfile.ZipFile, listed: zipfile.ZipInfo, entries: Iterable[zipfile.ZipInfo]) -> Iterator[Owned]:
    """Yield each entry of a Gradescope archive with one file for each student of its group.

    Args:
        zipped: The open archive.
        listed: Its entry `submission_metadata.yml`, which has the names and times.
        entries: All of its entries.

    Raises:
        BadArchive: The metadata cannot be read.
    """
    metadata = read_metadata(zipped, listed)
    for entry in entries:
        if entry is listed:
            continue
        folder = next((p for p in PurePosixPath(entry.filename).parts if p.startswith("submission_")), "")
        about = metadata.get(folder)
        about = about if isinstance(about, dict) else {}
        time = parse_time(about.get(":created_at"))
        people = submitters(about)
        attempt = (time.timestamp() if time else 0.0, folder)
        files = [SubmittedFile(submitter_id(p), entry.filename, b"", attempt, time, lms="gradescope") for p in people]
        yield entry, files or None


def read_metadata(zipped: zipfile.ZipFile, listed: zipfile.ZipInfo) -> dict:
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


def submitter_id(person: dict) -> str:
    """Return the id of a student: from the student number, else the e-mail address, else the name."""
    names = (person.get(key) for key in (":sid", ":email", ":name"))
    name = next((name for name in names if isinstance(name, str) and name not in NOTHING), "")
    return student_id(str(name))


def parse_time(value: object) -> datetime | None:
    """Return a time from the metadata in UTC, or None if there is none.

    Args:
        value: A text such as `2026-12-01 02:00:00.000000000 +02:00`; without a time zone it is in UTC.
    """
    try:
        time = datetime.fromisoformat(re.sub(r"\s+(?=(Z|[+-]\d\d:?\d\d)$)", "", str(value).strip()))
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
