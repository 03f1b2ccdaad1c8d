"""Submissions out of the zip that Canvas, Moodle or Gradescope gives, into the layout that `autograder grade` reads.

Nothing is unpacked by the name it has inside: files are read into memory, bounded, and written where we choose."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from autograder.course.labs import Lab
from autograder.errors import BadArchive, NotANotebook
from autograder.intake.lms.base import Collected, File, printable, student_id
from autograder.intake.lms.canvas import CANVAS, canvas
from autograder.intake.lms.gradescope import GRADESCOPE, gradescope
from autograder.intake.lms.moodle import MOODLE, moodle, read_times
from autograder.intake.notebook import MAX_BYTES
from autograder.intake.submission import open_submission
from autograder.intake.zips import MAX_FILES, MAX_ZIP, inside, read, refused

TIME = "%Y-%m-%d %H:%M:%S UTC"  # what nbgrader reads from timestamp.txt


def collect(
    archive: Path, target: Path, lab: Lab | None = None, late: str | None = None, times: Path | None = None
) -> Collected:
    """Write the latest attempt of each student to `target/STUDENT/LAB/LAB.ipynb`, with `timestamp.txt` where a time is known.

    Args:
        lab: take only this lab; otherwise each notebook says itself which it is.
        late: the time to note for what Canvas marks as LATE: its archive does not say when.
        times: Moodle's grading worksheet (CSV), which has the times that Moodle's archive does not have.

    Raises:
        BadArchive: not a zip, not from an LMS that we know, or hostile; or `late` is not a time.
    """
    if late is not None:
        try:
            late = datetime.strptime(late, TIME).strftime(TIME)
        except ValueError:
            raise BadArchive(f"--late must look like 2026-11-30 23:59:59 UTC, not {late!r}") from None
    result = Collected()
    known = read_times(times, result) if times else {}
    latest = latest_files(archive, lab, result)
    for _, (file, seen) in sorted(latest.items(), key=lambda item: item[0]):
        time = file.time or known.get(file.user)
        keep(replace(file, time=time), seen, target, late, result)
    return result


def latest_files(archive: Path, lab: Lab | None, result: Collected) -> dict[tuple[str, str], tuple[File, Lab]]:
    """Student and lab -> the file that counts. What does not is told to `result`.

    Raises:
        BadArchive: not a zip, not from an LMS that we know, or hostile.
    """
    if not archive.exists():
        raise BadArchive(f"there is no file {archive}")
    try:
        zipped = zipfile.ZipFile(archive)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise BadArchive(f"{archive.name} is not a zip archive that can be read ({error})") from error
    latest: dict[tuple[str, str], tuple[File, Lab]] = {}
    with zipped:
        if len(zipped.infolist()) > MAX_FILES:
            raise BadArchive(f"{archive.name} has {len(zipped.infolist()):,} files; the limit is {MAX_FILES:,}")
        for file in handed_in(zipped, result):
            seen = recognise(file, lab, result)
            if seen is None:
                continue
            key = (file.student, seen.name)
            if key in latest:
                older, newer = sorted((latest[key][0], file), key=lambda f: rank(f, seen))
                result.leave(older.shown, f"not the latest of {newer.student}")
                latest[key] = (newer, seen)
            else:
                latest[key] = (file, seen)
    return latest


def rank(file: File, lab: Lab) -> tuple:
    """The latest attempt wins; within one attempt, the notebook that has the lab's name."""
    return (file.attempt, likeness(file.own_name, lab))


def likeness(name: str, lab: Lab) -> tuple:
    """Which of several notebooks is meant: the lab's own name counts more than a copy's."""
    return (name == f"{lab.name}.ipynb", lab.name in name)


def keep(file: File, lab: Lab, target: Path, late: str | None, result: Collected) -> None:
    result.labs.setdefault(lab.name, set()).add(file.student)
    folder = target / file.student / lab.name
    notebook, stamp = folder / f"{lab.name}.ipynb", folder / "timestamp.txt"
    time = file.time.astimezone(UTC).strftime(TIME) if file.time else (late if file.late else None)
    if notebook.is_file() and file.time and (before := stamp_time(stamp)) and before > file.time:
        result.leave(file.shown, f"{file.student} has handed in a later one, at {before.strftime(TIME)}")
        return
    again = " (replaces an earlier one)" if notebook.is_file() and notebook.read_bytes() != file.data else ""
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    notebook.write_bytes(file.data)
    stamp.unlink(missing_ok=True)
    if time:
        stamp.write_text(time + "\n")
    when = f", {time}" if time else ", LATE by Canvas; when is not known, so no penalty (see --late)" * file.late
    if not time:
        result.untimed.add(file.student)
    result.taken.append(f"{file.student}: {lab.name} from {printable(file.shown)}{when}{again}")


def stamp_time(stamp: Path) -> datetime | None:
    """The time in a timestamp.txt; None if there is none that can be read."""
    try:
        return datetime.strptime(stamp.read_text(encoding="utf-8").strip(), TIME).replace(tzinfo=UTC)
    except (OSError, ValueError):
        return None


def recognise(file: File, lab: Lab | None, result: Collected) -> Lab | None:
    """Which lab it is. A file that cannot be read is taken where the lab is known: then grading tells the student why."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, student_id(file.own_name))
        path.write_bytes(file.data)
        try:
            return open_submission(path, lab).lab
        except NotANotebook as error:
            if lab is not None and " is a notebook of " not in str(error):
                return lab
            why = str(error).replace(f"{path.name} is ", "it is ", 1)
            result.leave(f"{file.student}: {file.shown}", why)
        except Exception as error:  # our own repair cannot digest it: one student's problem
            result.leave(f"{file.student}: {file.shown}", f"it could not be read ({type(error).__name__})")
    return None


# What is in the archive


def handed_in(zipped: zipfile.ZipFile, result: Collected) -> Iterator[File]:
    """The notebooks of an LMS's archive, those inside students' own zips too."""
    entries = [entry for entry in zipped.infolist() if not entry.is_dir()]
    names = [entry.filename for entry in entries]
    listed = [entry for entry in entries if re.fullmatch(rf"(assignment_[^/]*export/)?{GRADESCOPE}", entry.filename)]
    # Most names decide: a single file is named by a student, who may play tricks.
    by_moodle = sum(MOODLE.search(name) is not None for name in names)
    by_canvas = sum(CANVAS.fullmatch(PurePosixPath(name).name) is not None for name in names)
    if listed:
        from_lms = gradescope(zipped, listed[0], entries)
    elif by_moodle > by_canvas:
        from_lms = moodle(entries)
    elif by_canvas:
        from_lms = canvas(entries)
    else:
        raise BadArchive(
            "this is no archive of Canvas (name_12345_67890_file.ipynb), Moodle "
            f"(Name_12345_assignsubmission_file_/…) or Gradescope ({GRADESCOPE})"
        )
    for entry, who in from_lms:
        if who is None:
            if not entry.filename.endswith(GRADESCOPE):
                result.leave(entry.filename, "its name does not say whose it is")
            continue
        result.people |= {file.student for file in who}
        whose = f"{', '.join(file.student for file in who)}: "
        kind = PurePosixPath(entry.filename.lower()).suffix
        if reason := refused(entry):
            result.leave(whose + entry.filename, reason)
        elif kind == ".ipynb":
            if (data := read(zipped, entry, MAX_BYTES, result, whose)) is not None:
                yield from (replace(file, data=data) for file in who)
        elif kind == ".zip":
            packed = read(zipped, entry, MAX_ZIP, result, whose)
            for name, data in inside(whose + entry.filename, packed, result) if packed is not None else ():
                yield from (replace(file, inside=name, data=data) for file in who)
        elif kind != ".pdf":  # beside a notebook it is expected; who handed in nothing else is named in the end
            result.leave(whose + entry.filename, "neither a notebook nor a zip")
