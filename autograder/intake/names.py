"""Turn names from archives into student ids and into text for a terminal."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

from autograder.text import INVISIBLE

MAX_ID_BYTES = 120  # of a student id; file systems allow 255
UNNAMED = "nobody"  # the id of a student whose name has no usable character
MAX_SHOWN = 150  # characters of a file name in a message

# Browsers and mail programs append `.txt` or `.json` to a notebook's name, and a counter: `lab4.ipynb (1).txt`.
NOTEBOOK = re.compile(r"\.ipynb(?:[ _]?\(\d{1,4}\)|-\d{1,9})?(?:\.(?:txt|json))?$", re.IGNORECASE)
JSON = re.compile(r"\.json$", re.IGNORECASE)


def student_id(*parts: str) -> str:
    """Return an id that is valid both as a folder name and as an nbgrader student id.

    An umlaut counts as one letter, also where macOS stored it as two code points. An id that is too long for a file
    system is shortened; a hash keeps shortened ids apart.

    Args:
        parts: The student's name and, if known, the number that the LMS gave the student.
    """
    name = unicodedata.normalize("NFC", INVISIBLE.sub("", "_".join(p for p in parts if p)))
    name = re.sub(r"[^\w.@-]+", "_", name).strip("._-") or UNNAMED
    if len(name.encode()) <= MAX_ID_BYTES:
        return name
    start, digest = name.encode()[:60].decode(errors="ignore"), hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{start}_{digest}_{name[-20:]}"  # the end holds the LMS's number


def display_name(name: str) -> str:
    """Return a name from an archive without characters that could control a terminal, cut to a readable length."""
    return "".join(c if c.isprintable() else "?" for c in name[:MAX_SHOWN])


def is_system_file(name: str) -> bool:
    """Tell whether an operating system or Jupyter made this file: checkpoints, resource forks, hidden files."""
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in PurePosixPath(name).parts)


def is_notebook_name(name: str) -> bool:
    """Tell whether a file is submitted as a notebook, from its name: `x.ipynb`, `x.ipynb.txt`, `x.ipynb.json`."""
    return NOTEBOOK.search(name) is not None


def may_be_notebook(name: str) -> bool:
    """Tell whether a file may be a notebook; of a `.json` only the content tells."""
    return is_notebook_name(name) or JSON.search(name) is not None


def stem(name: str) -> str:
    """Return the name of a notebook or of another file without its ending."""
    return NOTEBOOK.sub("", name) if is_notebook_name(name) else PurePosixPath(name).stem
