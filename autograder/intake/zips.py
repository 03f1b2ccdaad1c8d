"""Read zip archives that may be hostile: no entry is unpacked under its own name, and every size is bounded."""

from __future__ import annotations

import io
import lzma
import re
import stat
import zipfile
import zlib
from typing import IO, Protocol

from autograder.errors import BadArchive
from autograder.intake.collect_log import CollectLog
from autograder.intake.names import display_name, is_system_file, may_be_notebook
from autograder.intake.notebook import MAX_BYTES

MAX_FILES = 50_000  # in the archive of a class
MAX_FILES_OF_STUDENT = 1_000  # in a student's own zip
MAX_ZIP = 256 * 2**20  # bytes of a student's own zip
MAX_RATIO = 1_000  # unpacked to packed size; deflate's own limit is 1,032, a notebook has about ten
UNREADABLE = (  # what zipfile raises for a damaged entry
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    lzma.LZMAError,
)


class Opens(Protocol):
    """What opens its entries: a zip, or a folder that is read like one."""

    def open(self, entry: zipfile.ZipInfo, /) -> IO[bytes]:
        """Open an entry for reading."""


def rejection_reason(entry: zipfile.ZipInfo) -> str | None:
    """Return why an entry must not be read, or None if it may be read."""
    name = entry.orig_filename  # zipfile cuts `filename` at a zero byte
    parts = re.split(r"[/\\]", name)
    if ".." in parts or parts[0] == "" or re.match(r"[A-Za-z]:", name) or "\0" in name:
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
    return None


def read_entry(zipped: Opens, entry: zipfile.ZipInfo, limit: int) -> bytes:
    """Return the content of an entry. The size that its header claims is not trusted.

    Args:
        zipped: The open archive or folder.
        entry: The entry to read.
        limit: The most bytes that it may have.

    Raises:
        BadArchive: The entry is too large or damaged; the message is only the reason.
    """
    try:
        with zipped.open(entry) as file:
            data = file.read(limit + 1)
    except UNREADABLE as error:
        raise BadArchive(f"it is damaged ({str(error)[:100] or type(error).__name__})") from error
    if len(data) > limit:
        raise BadArchive(f"it has more than {limit // 2**20} MB")
    return data


def notebooks_in_zip(name: str, data: bytes, log: CollectLog) -> list[tuple[str, bytes]]:
    """Return the notebooks in a student's own zip, each with its name there.

    One bad entry rejects the whole zip, because honest zips have none.

    Args:
        name: The zip's name, for messages.
        data: The zip's content.
        log: Receives what was skipped, and why.
    """
    try:
        own = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        log.skip(name, f"it is not a readable zip ({str(error)[:100]})")
        return []
    found = []
    with own:
        entries = own.infolist()
        if reason := zip_rejection_reason(entries):
            log.skip(name, reason)
            return []
        for entry in entries:
            if may_be_notebook(entry.filename) and not is_system_file(entry.filename):
                try:
                    found.append((entry.filename, read_entry(own, entry, MAX_BYTES)))
                except BadArchive as error:
                    log.skip(f"{name} → {entry.filename}", str(error))
    return found


def zip_rejection_reason(entries: list[zipfile.ZipInfo]) -> str | None:
    """Return why a student's zip must not be read, or None if it may be read."""
    if len(entries) > MAX_FILES_OF_STUDENT:
        return f"it has {len(entries):,} files; the limit is {MAX_FILES_OF_STUDENT:,}"
    for entry in entries:
        if reason := rejection_reason(entry):
            return f"its entry {display_name(entry.filename)} was rejected: {reason}"
    if sum(entry.file_size for entry in entries) > MAX_ZIP:
        return f"it unpacks to more than {MAX_ZIP // 2**20} MB"
    names = [entry.filename for entry in entries]
    if any(may_be_notebook(name) and not is_system_file(name) for name in names):
        return None
    if any(name.lower().endswith(".zip") for name in names):
        return "it contains no notebook, only another zip, and a zip inside a zip is not opened"
    return "it contains no notebook"
