"""Gradescope: a folder a submission, and one file that says whose each is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath

import yaml

from autograder.errors import BadArchive
from autograder.intake.lms.base import File, student_id
from autograder.intake.zips import read, refused

GRADESCOPE = "submission_metadata.yml"


MAX_METADATA = 256 * 2**20


def gradescope(zipped, listed, entries):
    """Times and names from the metadata; those who worked together each get a copy."""
    if reason := refused(listed):
        raise BadArchive(f"{GRADESCOPE} is refused: {reason}")
    raw = read(zipped, listed, MAX_METADATA, None)
    try:
        metadata = yaml.load(raw, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        assert isinstance(metadata, dict)
    except (yaml.YAMLError, ValueError, AssertionError, RecursionError) as error:
        raise BadArchive(f"{GRADESCOPE} cannot be read ({type(error).__name__})") from error
    for entry in entries:
        if entry is listed:
            continue
        folder = next((p for p in PurePosixPath(entry.filename).parts if p.startswith("submission_")), "")
        about = metadata.get(folder)
        about = about if isinstance(about, dict) else {}
        time = parse_time(about.get(":created_at"))
        people = [p for p in about.get(":submitters") or [] if isinstance(p, dict)]
        attempt = (time.timestamp() if time else 0.0, folder)
        who = [File(submitter(p), entry.filename, b"", attempt, time, lms="gradescope") for p in people]
        yield entry, who or None


def submitter(person: dict) -> str:
    name = next((person[key] for key in (":sid", ":email", ":name") if person.get(key)), "")
    return student_id(str(name))


def parse_time(value: object) -> datetime | None:
    """YAML gives a datetime or a text, in UTC if it says nothing else."""
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
