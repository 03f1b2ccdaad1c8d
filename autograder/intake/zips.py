"""Read archives that may be hostile: nothing is unpacked by the name it has inside, and every size is bounded."""

from __future__ import annotations

import io
import lzma
import re
import stat
import zipfile
import zlib

from autograder.errors import BadArchive
from autograder.intake.lms.base import Collected, is_rubbish, printable
from autograder.intake.notebook import MAX_BYTES

MAX_FILES = 50_000  # in an archive of a class


MAX_HANDED_IN = 1_000  # in a student's own zip


MAX_ZIP = 256 * 2**20  # a student's own zip


MAX_RATIO = 1_000  # unpacked to packed; deflate's own limit is 1,032, a notebook's some ten


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
