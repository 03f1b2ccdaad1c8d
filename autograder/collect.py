"""Submissions out of the zip that Canvas, Moodle or Gradescope gives, into the layout that `autograder grade` reads.

Nothing is unpacked by the name it has inside: files are read into memory, bounded, and written where we choose.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import lzma
import re
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import yaml

from autograder.author import Lab, find_lab
from autograder.grade import open_submission
from autograder.repair import MAX_BYTES, NotANotebook

# sortablename_12345_678901_file-2.ipynb: the student, the attachment, the file; LATE after the name, `anon` for a name.
CANVAS = re.compile(
    r"(?P<name>.+?)_(?P<late>LATE_)?(?P<user>\d+|(?<=anon_)\w{5}|(?<=anon_LATE_)\w{5})_(?P<number>\d+)_(?P<file>.+)"
)
# Name Surname_12345_assignsubmission_file/x.ipynb; before Moodle 4.1 …_file_/x.ipynb; without folders …_file_x.ipynb
# The shortest name counts: what follows is the student's to choose, and may look like another student's.
MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<user>\d+)_assignsubmission_(?:file|onlinetext)(?:/|_/?)(?P<file>.+)")
GRADESCOPE = "submission_metadata.yml"
MAX_FILES = 50_000  # in an archive of a class
MAX_HANDED_IN = 1_000  # in a student's own zip
MAX_ZIP = 256 * 2**20  # a student's own zip
MAX_RATIO = 1_000  # unpacked to packed; deflate's own limit is 1,032, a notebook's some ten
MAX_METADATA = 256 * 2**20
MAX_NAME = 120  # bytes of a student's id; file systems take 255
TIME = "%Y-%m-%d %H:%M:%S UTC"  # what nbgrader reads from timestamp.txt
MOODLE_TIMES = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S")


class BadArchive(ValueError):
    """The archive cannot be used; the message says why, in a sentence."""


@dataclass(frozen=True)
class File:
    """A file that somebody handed in."""

    student: str
    name: str  # its name inside the archive
    data: bytes
    attempt: tuple = ()  # the largest is the latest
    time: datetime | None = None  # of arrival, where the archive tells
    late: bool = False  # Canvas says that much, and not when
    inside: str = ""  # its name in the student's own zip, if it came in one
    lms: str = ""
    user: str = ""  # Moodle's number of the student
    prefix: str = ""  # what Canvas and Moodle put before the student's own name of the file: it says whose it is

    @property
    def shown(self) -> str:
        return f"{self.name} → {self.inside}" if self.inside else self.name

    @property
    def own_name(self) -> str:
        return PurePosixPath(self.inside or self.name).name


@dataclass
class Collected:
    taken: list[str] = field(default_factory=list)  # a line each, for people
    left: list[str] = field(default_factory=list)
    people: set[str] = field(default_factory=set)  # everybody of whom there is a file
    labs: dict[str, set[str]] = field(default_factory=dict)  # lab -> of whom there is a notebook
    untimed: set[str] = field(default_factory=set)  # of these, whose time of arrival is not known

    def leave(self, name: str, why: str) -> None:
        self.left.append(f"{printable(name)}: {why}")


def printable(name: str) -> str:
    """A name from an archive, fit for a terminal."""
    return "".join(c if c.isprintable() else "?" for c in name)[:150]


def student_id(*parts: str) -> str:
    """A name that is a folder's name and an nbgrader id, and nothing else. An ü is one letter, also where a Mac wrote two.

    One that no file system takes is shortened.
    """
    name = unicodedata.normalize("NFC", "_".join(p for p in parts if p))
    name = re.sub(r"[^\w.@-]+", "_", name).strip("._-") or "nobody"
    if len(name.encode()) <= MAX_NAME:
        return name
    start, digest = name.encode()[:60].decode(errors="ignore"), hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{start}_{digest}_{name[-20:]}"  # its end is the LMS's number


def collect(
    archive: Path, target: Path, lab: Lab | None = None, late: str | None = None, times: Path | None = None
) -> Collected:
    """Write the latest attempt of each student to `target/STUDENT/LAB/LAB.ipynb`, with `timestamp.txt` where a time is known.

    Args:
        lab: take only this lab; otherwise each notebook says itself which it is.
        late: the time to note for what Canvas marks as LATE: its archive does not say when.
        times: Moodle's grading worksheet (CSV), which has the times that Moodle's archive does not have.

    Raises:
        BadArchive: not a zip, not from an LMS that we know, or hostile.
    """
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


def is_rubbish(name: str) -> bool:
    """What systems lay beside a notebook: checkpoints, a Mac's resource forks, hidden files."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


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


def canvas(entries):
    for entry in entries:
        match = CANVAS.fullmatch(PurePosixPath(entry.filename).name)
        if match is None:
            yield entry, None
            continue
        copy = re.search(r"-(\d+)\.\w+$", match["file"])  # file-2.ipynb is the third of its name
        attempt = (int(match["number"]), int(copy[1]) if copy else 0)
        student = student_id(match["name"].removesuffix("_LATE"), match["user"])
        prefix = match.string[: match.start("file")]
        file = File(student, entry.filename, b"", attempt, late=bool(match["late"]), lms="canvas", prefix=prefix)
        yield entry, [file]


def moodle(entries):
    for entry in entries:
        # An archive of a group mode has a folder around it.
        match = MOODLE.search(entry.filename)
        if match is None:
            yield entry, None
            continue
        student, prefix = student_id(match["name"], match["user"]), match.string[: match.start("file")]
        attempt, user = (entry.date_time,), match["user"]
        yield entry, [File(student, entry.filename, b"", attempt, lms="moodle", user=user, prefix=prefix)]


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


def read_times(path: Path, result: Collected) -> dict[str, datetime]:
    """Moodle's number of a student -> time of arrival, from its grading worksheet, where names may be spelled otherwise.

    Its times are taken as UTC: Moodle does not say. It writes them in the language of who exports. A time that cannot be read
    is told: without it nobody is late.

    Raises:
        BadArchive: not such a file.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadArchive(f"{path.name} cannot be read as CSV ({error})") from error
    needed = ("Identifier", "Last modified (submission)")
    if not rows or any(name not in rows[0] for name in needed):
        raise BadArchive(f"{path.name} is no grading worksheet of Moodle: it needs the columns {', '.join(needed)}")
    times = {}
    for row in rows:
        number = (row["Identifier"] or "").removeprefix("Participant ").strip()
        who = student_id(row.get("Full name") or "participant", number)
        words = (row["Last modified (submission)"] or "").strip()
        if number and (time := moodle_time(words)):
            times[number] = time
        elif words not in ("", "-"):
            result.leave(
                path.name,
                f"{who}'s time of arrival, '{printable(words)}', cannot be read; export it in English",
            )
    return times


def moodle_time(words: str) -> datetime | None:
    for form in MOODLE_TIMES:
        with contextlib.suppress(ValueError):
            return datetime.strptime(words, form).replace(tzinfo=UTC)
    return None


# Reading what may be hostile


def refused(entry: zipfile.ZipInfo) -> str:
    """Why an entry is not even read; '' if it is."""
    # orig_filename: zipfile cuts the other at a zero byte.
    parts = re.split(r"[/\\]", entry.orig_filename)
    if ".." in parts or parts[0] == "" or re.match(r"[A-Za-z]:", entry.orig_filename) or "\0" in entry.orig_filename:
        return "its name leads out of the archive"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "it is a link"
    if kind not in (0, stat.S_IFREG):
        return "it is not a plain file"
    if entry.flag_bits & 0x1:
        return "it is encrypted"
    if entry.file_size > 2**20 and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        return (
            f"it unpacks to {entry.file_size // 2**20:,} MB from {entry.compress_size // 2**10:,} KB, as zip bombs do"
        )
    return ""


def read(
    zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int, result: Collected | None, whose: str = ""
) -> bytes | None:
    """The content of an entry, or None if it is too large or damaged; what the header claims is not believed.

    Raises:
        BadArchive: the same, where there is no `result` to tell it to.
    """
    try:
        with zipped.open(entry) as file:
            data = file.read(limit + 1)
        if len(data) <= limit:
            return data
        reason = f"it has more than {limit // 2**20} MB"
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
        lzma.LZMAError,
    ) as error:
        reason = f"it is damaged ({str(error)[:100] or type(error).__name__})"
    if result is None:
        raise BadArchive(f"{entry.filename}: {reason}")
    result.leave(f"{whose}{entry.filename}", reason)
    return None


def inside(name: str, data: bytes, result: Collected) -> list[tuple[str, bytes]]:
    """The notebooks of a student's own zip. One bad entry, and the whole zip is refused: honest ones have none."""
    try:
        own = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        result.leave(name, f"it is not a zip that can be read ({str(error)[:100]})")
        return []
    with own:
        entries = own.infolist()
        if len(entries) > MAX_HANDED_IN:
            result.leave(name, f"it has {len(entries):,} files; the limit is {MAX_HANDED_IN:,}")
            return []
        for one in entries:
            if reason := refused(one):
                result.leave(name, f"{printable(one.filename)} in it is refused: {reason}")
                return []
        if sum(one.file_size for one in entries) > MAX_ZIP:
            result.leave(name, f"it unpacks to more than {MAX_ZIP // 2**20} MB")
            return []
        notebooks = [one for one in entries if one.filename.lower().endswith(".ipynb") and not is_rubbish(one.filename)]
        if not notebooks:
            zips = any(one.filename.lower().endswith(".zip") for one in entries)
            result.leave(name, "no notebook is in it" + ", only another zip, which is not opened" * zips)
        found = [(one.filename, read(own, one, MAX_BYTES, result, f"{name} → ")) for one in notebooks]
    return [(name, data) for name, data in found if data is not None]


def run(archive: Path, target: Path, lab: str | None, late: str | None, times: Path | None) -> int:
    """The command: collect, and say what was taken, what was left, and why.

    Raises:
        BadArchive, NoSuchLab: a sentence for the terminal.
    """
    if late is not None:
        try:
            late = datetime.strptime(late, TIME).strftime(TIME)
        except ValueError:
            raise BadArchive(f"--late must look like 2026-11-30 23:59:59 UTC, not {late!r}") from None
    result = collect(archive, target, find_lab(lab) if lab else None, late, times)
    for line in result.taken:
        print(f"  taken  {line}")
    for line in result.left:
        print(f"  left   {line}")
    print(f"{len(result.taken)} taken, {len(result.left)} left; they are in {target}")
    for name, students in sorted(result.labs.items()):
        print(f"  {name}: {len(students)} student{'' if len(students) == 1 else 's'}")
    have = set().union(*result.labs.values())
    if missing := sorted(result.people - have):
        print(f"Nothing could be taken from {len(missing)}, whom grading will not see: {', '.join(missing)}")
    if times is not None and result.untimed:
        print(
            f"{times.name} has no time that can be read for: {', '.join(sorted(result.untimed))}; no penalty for these"
        )
    return 0 if result.taken else 1
