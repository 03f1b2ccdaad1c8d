"""SQLite without locks on bytes, which the filter of calls denies: each takes memory of the kernel without a limit."""

from __future__ import annotations

import contextlib
import ctypes

LOCKS = b"unix-dotfile"  # a folder `x.db.lock` beside the database `x.db`; every build of SQLite for Unix has it


def lock_databases_by_folders() -> None:
    """Let SQLite lock databases in this process and its forks by a folder beside them.

    Otherwise every database in a file is "locked" for a notebook. Where SQLite is a part of Python's own library, and
    its functions cannot be called, that stays so.
    """
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import _sqlite3

        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = ctypes.c_void_p
        if found := library.sqlite3_vfs_find(LOCKS):
            library.sqlite3_vfs_register(ctypes.c_void_p(found), 1)  # 1: the default
