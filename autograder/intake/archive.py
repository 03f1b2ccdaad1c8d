"""Find the submissions in the archive of an LMS, the student of each, and the attempt that counts."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from autograder.course.labs import Lab
from autograder.errors import BadArchive, NotANotebook
from autograder.files import replace_file
from autograder.intake.collected import CollectLog
from autograder.intake.lms.base import Owned, SubmittedFile
from autograder.intake.lms.canvas import CANVAS, canvas
from autograder.intake.lms.gradescope import GRADESCOPE, gradescope
from autograder.intake.lms.moodle import MOODLE, moodle
from autograder.intake.names import student_id
from autograder.intake.notebook import MAX_BYTES
from autograder.intake.reader import Reader
from autograder.intake.submission import OTHER_LAB
from autograder.intake.zips import MAX_FILES, MAX_ZIP, notebooks_in_zip, read_entry, rejection_reason


def latest_files(archive: Path, lab: Lab | None, log: CollectLog) -> dict[tuple[str, str], tuple[SubmittedFile, Lab]]:
    """Return the file that counts for each student and lab, by the student's id and the lab's name.

    Args:
        archive: The zip from the LMS.
        lab: Accept only this lab; if None, each notebook determines its own.
        log: Receives a line for each file that is skipped.

    Raises:
        BadArchive: The file is no zip, not from a known LMS, or hostile.
    """
    latest: dict[tuple[str, str], tuple[SubmittedFile, Lab]] = {}
    with open_archive(archive) as zipped, Reader() as reader:
        for file in submitted_files(zipped, log):
            found = identify_lab(file, lab, log, reader)
            if found is None:
                continue
            key = (file.student, found.name)
            if key in latest:
                older, newer = sorted((latest[key][0], file), key=lambda f: (f.attempt, name_rank(f.own_name, found)))
                log.skip(older.shown, f"{newer.student} submitted a later attempt")
                latest[key] = (newer, found)
            else:
                latest[key] = (file, found)
    return latest


def open_archive(archive: Path) -> zipfile.ZipFile:
    """Return an archive, open for reading.

    Raises:
        BadArchive: There is no such file, it is no zip, or it has too many files.
    """
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


def name_rank(name: str, lab: Lab) -> tuple[bool, bool]:
    """Return a key that orders the notebooks of one attempt: the one with the lab's exact name is the largest."""
    return (name == f"{lab.name}.ipynb", lab.name in name)


def identify_lab(file: SubmittedFile, lab: Lab | None, log: CollectLog, reader: Reader) -> Lab | None:
    """Return the lab of a notebook, or None if the notebook is skipped.

    A notebook that cannot be read is accepted if the lab is given, so that grading tells the student the reason.

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
            return reader.lab(path, lab)
        except NotANotebook as error:
            if lab is not None and OTHER_LAB not in str(error):
                return lab
            reason = str(error).replace(f"{path.name} is ", "it is ", 1)
    log.skip(f"{file.student}: {file.shown}", reason)
    return None


def submitted_files(zipped: zipfile.ZipFile, log: CollectLog) -> Iterator[SubmittedFile]:
    """Yield the notebooks of an archive, those inside students' own zips included.

    Args:
        zipped: The open archive.
        log: Receives the students' ids, and a line for each file that is skipped.

    Raises:
        BadArchive: The archive is not from a known LMS.
    """
    for entry, files in files_by_lms(zipped):
        if files is not None:
            log.students |= {file.student for file in files}
            yield from notebooks_of_entry(zipped, entry, files, log)
        elif not entry.filename.endswith(GRADESCOPE):
            log.skip(entry.filename, "its name does not say whose file it is")


def files_by_lms(zipped: zipfile.ZipFile) -> Iterable[Owned]:
    """Recognise the LMS of an archive, and return its entries with their students.

    Raises:
        BadArchive: The archive is not from a known LMS.
    """
    entries = [entry for entry in zipped.infolist() if not entry.is_dir()]
    for entry in entries:
        if re.fullmatch(rf"(assignment_[^/]*export/)?{GRADESCOPE}", entry.filename):
            return gradescope(zipped, entry, entries)
    # The majority decides, because a student chooses the end of a single name and could imitate another LMS.
    by_moodle = sum(MOODLE.search(entry.filename) is not None for entry in entries)
    by_canvas = sum(CANVAS.fullmatch(PurePosixPath(entry.filename).name) is not None for entry in entries)
    if by_moodle > by_canvas:
        return moodle(entries)
    if by_canvas:
        return canvas(entries)
    raise BadArchive(
        "this is not an archive from Canvas (name_12345_67890_file.ipynb), Moodle "
        f"(Name_12345_assignsubmission_file_/…) or Gradescope ({GRADESCOPE}); "
        "download all submissions from your LMS and give that zip, unchanged"
    )


def notebooks_of_entry(
    zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, files: list[SubmittedFile], log: CollectLog
) -> Iterator[SubmittedFile]:
    """Yield the notebooks that one entry holds, once for each of its students.

    Args:
        zipped: The open archive.
        entry: One of its entries.
        files: The entry as a file of each of its students, without content.
        log: Receives a line if the entry, or a part of it, is skipped.
    """
    shown = f"{', '.join(file.student for file in files)}: {entry.filename}"
    kind = PurePosixPath(entry.filename.lower()).suffix
    if reason := rejection_reason(entry):
        log.skip(shown, reason)
    elif kind in (".ipynb", ".zip"):
        try:
            data = read_entry(zipped, entry, MAX_BYTES if kind == ".ipynb" else MAX_ZIP)
        except BadArchive as error:
            log.skip(shown, str(error))
            return
        found = [("", data)] if kind == ".ipynb" else notebooks_in_zip(shown, data, log)
        for name, content in found:
            yield from (replace(file, inside=name, data=content) for file in files)
    elif kind != ".pdf":  # expected beside a notebook; a student with only a PDF is listed in `Collected.missing`
        log.skip(shown, "it is neither a notebook nor a zip")
