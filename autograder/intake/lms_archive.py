"""Find the submissions in the archive of an LMS, the student of each, and the attempt that counts."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path, PurePosixPath

from autograder.course.labs import Lab
from autograder.errors import BadArchive, NotANotebook
from autograder.files import replace_file
from autograder.intake.bounded_reading import Reader
from autograder.intake.collect_log import CollectLog
from autograder.intake.folder import FolderArchive
from autograder.intake.layouts import find_layout
from autograder.intake.lms.base import Archive, Layout, Source, SubmittedFile
from autograder.intake.names import is_notebook_name, is_system_file, may_be_notebook, student_id
from autograder.intake.notebook import MAX_BYTES
from autograder.intake.open_submission import OTHER_LAB
from autograder.intake.which_notebook import UNREADABLE, Candidate, choose
from autograder.intake.zips import MAX_FILES, MAX_ZIP, notebooks_in_zip, read_entry, rejection_reason


def latest_files(
    archive: Path, lab: Lab | None, log: CollectLog, zone: tzinfo = UTC
) -> dict[tuple[str, str], tuple[SubmittedFile, Lab]]:
    """Return the file that counts for each student and lab, by the student's id and the lab's name.

    Args:
        archive: The zip from the LMS, or a folder.
        lab: Accept only this lab; if None, each notebook determines its own.
        log: Receives a line for each file that is skipped.
        zone: The time zone of times that the archive holds without one.

    Raises:
        BadArchive: The file is no zip, holds no submissions, or is hostile.
    """
    latest: dict[tuple[str, str], Candidate] = {}
    with open_archive(archive) as opened, Reader() as reader:
        for file in submitted_files(opened, log, zone):
            found = read_candidate(file, lab, log, reader)
            if found is None:
                continue
            key = (file.student, found.lab.name)
            if key in latest:
                latest[key], lost, reason = choose(latest[key], found)
                log.skip(lost.file.shown, reason)
            else:
                latest[key] = found
    return {key: (candidate.file, candidate.lab) for key, candidate in latest.items()}


def open_archive(archive: Path) -> Archive:
    """Return an archive or a folder, open for reading.

    Raises:
        BadArchive: There is no such file, it is no zip, or it has too many files.
    """
    if archive.is_dir():
        return FolderArchive(archive)
    if not archive.exists():
        raise BadArchive(f"there is no file {archive}")
    try:
        zipped = zipfile.ZipFile(archive)
    except (OSError, zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise BadArchive(f"{archive.name} is not a readable zip archive ({error})") from error
    if (count := len(zipped.infolist())) > MAX_FILES:
        zipped.close()
        raise BadArchive(f"{archive.name} has {count:,} files; the limit is {MAX_FILES:,}")
    return zipped


def read_candidate(file: SubmittedFile, lab: Lab | None, log: CollectLog, reader: Reader) -> Candidate | None:
    """Return a notebook with its lab and the number of its answers, or None if the notebook is skipped.

    A notebook that cannot be read is accepted if the lab is given, so that grading tells the student the reason. A
    `.json` that is no notebook is another file of the student's.

    Args:
        file: The notebook.
        lab: The only lab to accept, or None.
        log: Receives the reason for skipping.
        reader: Reads notebooks within bounds.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, student_id(file.own_name))
        replace_file(path, file.data)
        try:
            return Candidate(file, *reader.lab_and_answers(path, lab))
        except NotANotebook as error:
            named = is_notebook_name(file.own_name)
            if lab is not None and OTHER_LAB not in str(error) and named:
                return Candidate(file, lab, UNREADABLE)
            reason = str(error).replace(f"{path.name} is ", "it is ", 1)
    if named or not file.inside:
        log.skip(f"{file.student}: {file.shown}", reason)
    return None


def submitted_files(opened: Archive, log: CollectLog, zone: tzinfo = UTC) -> Iterator[SubmittedFile]:
    """Yield the notebooks of an archive, those inside students' own zips included.

    Args:
        opened: The open archive.
        log: Receives the students' ids and names, and a line for each file that is skipped.
        zone: The time zone of times that the archive holds without one.

    Raises:
        BadArchive: The archive holds no submissions.
    """
    entries = [e for e in opened.infolist() if not e.is_dir() and not is_system_file(e.filename)]
    layout = find_layout(entries)
    log.layout = layout.title
    for entry, files in layout.files(Source(opened, entries, log, zone)):
        if files is not None:
            log.students |= {file.student for file in files}
            for file in files:
                log.add_person(file.student, file.person)
            yield from notebooks_of_entry(opened, entry, files, layout, log)
        elif not layout.whole_folders or may_be_notebook(entry.filename):
            log.skip(entry.filename, "its name does not say whose file it is")


def notebooks_of_entry(
    opened: Archive, entry: zipfile.ZipInfo, files: list[SubmittedFile], layout: Layout, log: CollectLog
) -> Iterator[SubmittedFile]:
    """Yield the notebooks that one entry holds, once for each of its students.

    Args:
        opened: The open archive.
        entry: One of its entries.
        files: The entry as a file of each of its students, without content.
        layout: How the archive is laid out.
        log: Receives a line if the entry, or a part of it, is skipped.
    """
    shown = f"{', '.join(file.student for file in files)}: {entry.filename}"
    notebook, kind = may_be_notebook(entry.filename), PurePosixPath(entry.filename.lower()).suffix
    if reason := rejection_reason(entry):
        log.skip(shown, reason)
    elif notebook or kind == ".zip":
        try:
            data = read_entry(opened, entry, MAX_BYTES if notebook else MAX_ZIP)
        except BadArchive as error:
            log.skip(shown, str(error))
            return
        found = [("", data)] if notebook else notebooks_in_zip(shown, data, log)
        for name, content in found:
            yield from (replace(file, inside=name, data=content) for file in files)
    elif kind != ".pdf" and not layout.whole_folders:
        # A PDF is expected beside a notebook; a student with only a PDF is listed in `Collected.missing`.
        log.skip(shown, "it is neither a notebook nor a zip")
