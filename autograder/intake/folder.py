"""A folder of submissions that is read like an archive, such as the repositories that GitHub Classroom clones."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path
from typing import BinaryIO

from autograder.errors import BadArchive
from autograder.intake.names import is_system_file
from autograder.intake.zips import MAX_FILES

EARLIEST = (1980, 1, 1, 0, 0, 0)  # of a zip entry


class FolderArchive:
    """The files of a folder as the entries of an archive. The folder's own name comes first, as when it is zipped."""

    def __init__(self, folder: Path) -> None:
        """List the files; hidden folders such as `.git` are left out.

        Raises:
            BadArchive: The folder has too many files.
        """
        self.paths: dict[str, Path] = {}
        self.entries: list[zipfile.ZipInfo] = []
        folder = folder.resolve()
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not is_system_file(name))
            for name in sorted(names):
                path = Path(place, name)
                self.add(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
                if len(self.entries) > MAX_FILES:
                    raise BadArchive(f"{folder} has more than {MAX_FILES:,} files, so it is no folder of submissions")

    def add(self, path: Path, name: str) -> None:
        """Add a file as an entry. A link keeps its kind, so that it is rejected."""
        facts = path.lstat()
        date = max(time.localtime(facts.st_mtime)[:6], EARLIEST)
        entry = zipfile.ZipInfo(name, date)
        entry.external_attr = facts.st_mode << 16
        entry.file_size = entry.compress_size = facts.st_size
        self.paths[entry.filename] = path
        self.entries.append(entry)

    def __enter__(self) -> FolderArchive:
        """Return this object."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: no file stays open."""

    def infolist(self) -> list[zipfile.ZipInfo]:
        """Return all entries."""
        return self.entries

    def open(self, entry: zipfile.ZipInfo) -> BinaryIO:
        """Open a file for reading; the caller has rejected links and pipes."""
        return os.fdopen(os.open(self.paths[entry.filename], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")

    def close(self) -> None:
        """Do nothing: no file stays open."""
