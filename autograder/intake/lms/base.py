"""What every layout of an archive yields: submitted files, each with its student."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import PurePosixPath

from autograder.intake.collect_log import CollectLog
from autograder.intake.folder import FolderArchive
from autograder.intake.people import Person

Archive = zipfile.ZipFile | FolderArchive


@dataclass(frozen=True)
class SubmittedFile:
    """One file that a student submitted.

    Attributes:
        student: The student's id.
        name: The file's name inside the archive of the LMS.
        data: The file's content; empty until it is read.
        attempt: Orders the submissions of one student; the largest is the latest. Files of one submission are equal.
        order: Orders the files of one submission; the largest was uploaded last.
        time: The time of submission, where the archive holds it.
        late: Whether Canvas marked the file as late. Canvas does not say how late.
        inside: The file's name in the student's own zip, if the student submitted a zip.
        lms: The name of the layout, such as "canvas".
        user: The name or number by which a table of the LMS knows the student.
        prefix: What the LMS puts before the student's file name. It identifies the student.
        person: The student's name and e-mail address, as far as the archive holds them.
    """

    student: str
    name: str
    data: bytes = b""
    attempt: tuple = ()
    time: datetime | None = None
    late: bool = False
    inside: str = ""
    lms: str = ""
    user: str = ""
    prefix: str = ""
    order: tuple = ()
    person: Person | None = None

    @property
    def shown(self) -> str:
        """The file's name for messages, with the zip around it."""
        return f"{self.name} → {self.inside}" if self.inside else self.name

    @property
    def own_name(self) -> str:
        """The name that the student gave the file, without folders."""
        return PurePosixPath(self.inside or self.name).name


# An entry of the archive with the file of each of its students; None if the entry names no student.
Owned = tuple[zipfile.ZipInfo, list[SubmittedFile] | None]


@dataclass(frozen=True)
class Source:
    """An open archive.

    Attributes:
        archive: The archive.
        entries: Its files, without those that an operating system made.
        log: Receives a line for each thing that cannot be read.
        zone: The time zone of times that the archive holds without one.
    """

    archive: Archive
    entries: list[zipfile.ZipInfo]
    log: CollectLog
    zone: tzinfo = UTC

    def utc(self, local: datetime) -> datetime:
        """Return a time without a zone, which the archive holds, in UTC."""
        self.log.local_times = True
        return local.replace(tzinfo=self.zone).astimezone(UTC)


def each(belongs: Callable[[zipfile.ZipInfo], object]) -> Callable[[list[zipfile.ZipInfo]], int]:
    """Return the `count` of a layout of which each entry shows by itself whether it belongs.

    Args:
        belongs: Returns something true for an entry of the layout.
    """
    return lambda entries: sum(bool(belongs(entry)) for entry in entries)


@dataclass(frozen=True)
class Layout:
    """How one LMS lays out its archive.

    Attributes:
        name: A short name, such as "canvas".
        title: The name of the LMS for messages.
        example: A file name of the layout, for the message about an unknown archive.
        count: Returns how many of the entries have this layout.
        files: Yields the entries, each with its students.
        whole_folders: Whether students submit folders, so that files beside a notebook are expected.
    """

    name: str
    title: str
    example: str
    count: Callable[[list[zipfile.ZipInfo]], int]
    files: Callable[[Source], Iterable[Owned]]
    whole_folders: bool = False
