"""What every LMS's archive gives: files, and whose they are."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath

MAX_NAME = 120  # bytes of a student's id; file systems take 255


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


def is_rubbish(name: str) -> bool:
    """What systems lay beside a notebook: checkpoints, a Mac's resource forks, hidden files."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
