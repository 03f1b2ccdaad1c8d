"""Collect submissions from the archive of an LMS or from a folder into the layout that `autograder grade` reads.

No file is unpacked under its own name: files are read into memory, up to a limit, and written where we choose.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from autograder.course.labs import Lab
from autograder.errors import BadArchive
from autograder.files import replace_file
from autograder.intake.collect_log import Collected, CollectLog
from autograder.intake.lms.base import SubmittedFile
from autograder.intake.lms.worksheets import Facts, read_worksheet
from autograder.intake.lms_archive import latest_files
from autograder.intake.names import display_name
from autograder.intake.people import write_people
from autograder.intake.times import find_zone

TIME = "%Y-%m-%d %H:%M:%S UTC"  # the format that nbgrader reads from timestamp.txt


def collect(
    archive: Path,
    target: Path,
    lab: Lab | None = None,
    late: str | None = None,
    times: Path | None = None,
    timezone: str = "UTC",
) -> Collected:
    """Write the latest attempt of each student to `target/STUDENT/LAB/LAB.ipynb`.

    A `timestamp.txt` beside it holds the submission time, where that is known. `target/students.csv` holds the names
    and e-mail addresses that the archive knows.

    Args:
        archive: The zip from the LMS, or a folder.
        target: The folder for the submissions; created if it does not exist.
        lab: Accept only this lab; if None, each notebook determines its own.
        late: The time to record for a file that Canvas marks as LATE, such as `2026-12-01 00:00:00 UTC`, because
            Canvas's archive does not hold the time.
        times: A CSV file with the times that the archive does not hold: Moodle's grading worksheet, or GitHub
            Classroom's list of grades.
        timezone: The time zone of times that the LMS writes without one, such as `Europe/Berlin`.

    Returns:
        What was accepted and what was skipped.

    Raises:
        BadArchive: The archive or the worksheet cannot be used, `late` is not a time, or there is no such time zone.
    """
    late = None if late is None else checked_time(late)
    zone: tzinfo = find_zone(timezone)
    log = CollectLog()
    known = read_worksheet(times, log, zone) if times else {}
    latest = latest_files(archive, lab, log, zone)
    for _, (file, found) in sorted(latest.items(), key=lambda item: item[0]):
        facts = known.get(file.user, Facts())
        log.add_person(file.student, facts.person)
        store_submission(replace(file, time=file.time or facts.time), found, target, late, log)
    if log.accepted:
        write_people(target, {student: who for student, who in log.people.items() if (target / student).is_dir()})
    return log.result()


def checked_time(text: str) -> str:
    """Return a time in the format of `timestamp.txt`.

    Raises:
        BadArchive: The text is not such a time.
    """
    try:
        return datetime.strptime(text, TIME).strftime(TIME)
    except ValueError:
        raise BadArchive(f"--late must look like 2026-11-30 23:59:59 UTC, not {text!r}") from None


def store_submission(file: SubmittedFile, lab: Lab, target: Path, late: str | None, log: CollectLog) -> None:
    """Write one submission, unless a later one is already there.

    Args:
        file: The notebook.
        lab: Its lab.
        target: The folder for all submissions.
        late: The time to record if Canvas marked the file as late.
        log: Receives a line that says what was done.
    """
    log.labs.setdefault(lab.name, set()).add(file.student)
    folder = target / file.student / lab.name
    notebook, stamp = folder / f"{lab.name}.ipynb", folder / "timestamp.txt"
    before = read_timestamp(stamp) if notebook.is_file() else None
    if before and file.time and before > file.time:
        log.skip(file.shown, f"a later submission of {file.student}, from {before.strftime(TIME)}, is already there")
        return
    replaced = notebook.is_file() and notebook.read_bytes() != file.data
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(notebook, file.data)
    stamp.unlink(missing_ok=True)
    if time := submission_time(file, late):
        replace_file(stamp, time + "\n")
        when = f", {time}"
    else:
        log.untimed.add(file.student)
        when = ", LATE by Canvas at an unknown time, so without a penalty (see --late)" if file.late else ""
    note = " (replaces an earlier one)" if replaced else ""
    log.accepted.append(f"{file.student}: {lab.name} from {display_name(file.shown)}{when}{note}")


def submission_time(file: SubmittedFile, late: str | None) -> str | None:
    """Return the time to record for a file, or None if it is unknown."""
    if file.time:
        return file.time.astimezone(UTC).strftime(TIME)
    return late if file.late else None


def read_timestamp(stamp: Path) -> datetime | None:
    """Return the time in a `timestamp.txt`, or None if there is none that can be read."""
    try:
        return datetime.strptime(stamp.read_text(encoding="utf-8").strip(), TIME).replace(tzinfo=UTC)
    except (OSError, ValueError):
        return None
