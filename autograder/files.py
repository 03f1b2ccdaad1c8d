"""Write files so that a crash leaves the old content or the new content, and never a part of one.

Each function writes under a temporary name beside the target, waits until the disk has the bytes, and renames.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_synced(path: Path, data: str | bytes, mode: int = 0o666) -> None:
    """Create a file and wait until the disk has its content.

    Args:
        path: where to write; nothing may exist there.
        data: the content; text is encoded as UTF-8.
        mode: permissions, from which the process's umask is subtracted.

    Raises:
        FileExistsError: something exists at `path`.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's list of names. File systems that cannot do this are left alone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def rename_synced(source: Path, target: Path) -> None:
    """Rename a file, or a folder whose files are on the disk, and wait until the disk has the new name.

    Raises:
        OSError: the target is a folder that is not empty, or the rename is not possible.
    """
    if source.is_dir():
        sync_folder(source)
    os.rename(source, target)
    sync_folder(target.parent)


def replace_file(path: Path, data: str | bytes, mode: int = 0o666) -> None:
    """Write a file, or replace its content, in one step.

    Args:
        path: the file; its folder must exist.
        data: the content; text is encoded as UTF-8.
        mode: permissions, from which the process's umask is subtracted.
    """
    temporary = temporary_name(path)
    try:
        write_synced(temporary, data, mode)
        rename_synced(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def create_file(path: Path, data: str | bytes, mode: int = 0o666) -> bool:
    """Write a file in one step unless it exists: of several processes that try at the same time, one succeeds.

    Returns:
        Whether this call created the file.
    """
    temporary = temporary_name(path)
    try:
        write_synced(temporary, data, mode)
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def temporary_name(path: Path) -> Path:
    """Return a hidden name beside `path` that no other process or machine uses."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}")
