"""Gradescope: one folder for each submission, and one file that names the students of all of them."""

from __future__ import annotations

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
MAX_METADATA = 256 * 2**20


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
        people = [p for p in about.get(":submitters") or [] if isinstance(p, dict)]
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
        metadata = yaml.load(raw, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except BadArchive as error:
        raise BadArchive(f"{GRADESCOPE} cannot be read: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadArchive(f"{GRADESCOPE} cannot be read ({type(error).__name__})") from error
    if not isinstance(metadata, dict):
        raise BadArchive(f"{GRADESCOPE} cannot be read: it must be a mapping, not a {type(metadata).__name__}")
    return metadata


def submitter_id(person: dict) -> str:
    """Return the id of a student: from the student number, else the e-mail address, else the name."""
    name = next((person[key] for key in (":sid", ":email", ":name") if person.get(key)), "")
    return student_id(str(name))


def parse_time(value: object) -> datetime | None:
    """Return a time from YAML in UTC, or None if there is none.

    Args:
        value: A datetime or a text; without a time zone it is in UTC.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        return None
