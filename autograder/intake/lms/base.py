"""What the archive of every LMS yields: submitted files, each with its student."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath


@dataclass(frozen=True)
class SubmittedFile:
    """One file that a student submitted.

    Attributes:
        student: The student's id.
        name: The file's name inside the archive of the LMS.
        data: The file's content; empty until it is read.
        attempt: Orders the attempts of one student; the largest is the latest.
        time: The time of submission, where the archive holds it.
        late: Whether Canvas marked the file as late. Canvas does not say how late.
        inside: The file's name in the student's own zip, if the student submitted a zip.
        lms: The LMS: "canvas", "moodle" or "gradescope".
        user: Moodle's number of the student.
        prefix: What Canvas and Moodle put before the student's file name. It identifies the student.
    """

    student: str
    name: str
    data: bytes
    attempt: tuple = ()
    time: datetime | None = None
    late: bool = False
    inside: str = ""
    lms: str = ""
    user: str = ""
    prefix: str = ""

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
