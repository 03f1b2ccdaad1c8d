"""Find what was collected of a class: one notebook of each student, with an id that nbgrader can have."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from autograder.course.labs import Lab
from autograder.errors import NotANotebook
from autograder.text import INVISIBLE, LINE_ENDS, one_line

NOT_IN_ID = re.compile(r"[^\w.@-]+")
# What nbgrader cannot have in a student's id: it searches with globs and line by line, and writes ids into HTML
# unescaped, in UTF-8.
UNSAFE = re.compile(
    '[\x00-\x1f\x7f-\x9f*?\\[\\]<>"\\\\`\ud800-\udfff]' + f"|{INVISIBLE.pattern}|{LINE_ENDS.pattern}|^ | $"
)


def find_submissions(folder: Path, lab: Lab) -> dict[str, Path]:
    """Find one notebook of each student.

    Args:
        folder: in nbgrader's layout, `STUDENT/LAB/LAB.ipynb`, or a flat folder of notebooks named by student.
        lab: the lab.

    Returns:
        Student id -> notebook. If two submissions map to the same id, both keep their original name, which is no valid
        id; `open_class` reports them.

    Raises:
        FileNotFoundError: there is no notebook in either layout.
    """
    found: dict[str, Path] = {}
    people = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")] if folder.is_dir() else []
    for student in sorted(people):
        notebooks = sorted(p for p in (student / lab.name).glob("*.ipynb") if not p.name.startswith("."))
        if notebooks:
            named = [p for p in notebooks if p.stem == lab.name]
            found[student.name] = (named or notebooks)[0]
    if not found and folder.is_dir():
        found = {path.stem: path for path in sorted(folder.glob("*.ipynb")) if not path.name.startswith(".")}
    if not found:
        raise FileNotFoundError(
            f"no submission in {folder}: expected STUDENT/{lab.name}/{lab.name}.ipynb, or STUDENT.ipynb"
        )
    ids = {name: nbgrader_id(name, flat=path.parent == folder) for name, path in found.items()}
    claims = Counter(ids.values())
    return {ids[name] if claims[ids[name]] == 1 or ids[name] == name else name: path for name, path in found.items()}


def nbgrader_id(name: str, flat: bool) -> str:
    """Return the student id that belongs to a file or folder.

    Args:
        name: of the folder, or of the file without its suffix.
        flat: it is a file's name, which is always simplified; a folder's name only if nbgrader could not have it.
    """
    return NOT_IN_ID.sub("_", INVISIBLE.sub("", name)) if flat or UNSAFE.search(name) else name


def require_own_file(student: str, path: Path, folder: Path) -> None:
    """Check that a submission belongs to one student.

    Raises:
        NotANotebook: another submission has the same id, or the file is a link that leads out of the student's folder.
    """
    flat = path.parent == folder
    if (taken := nbgrader_id(student, flat)) != student:
        raise NotANotebook(
            f"{one_line(student)} maps to the id {taken}, which another submission uses: rename one of them"
        )
    own_folder = folder if flat else folder / path.relative_to(folder).parts[0]
    if not path.resolve().is_relative_to(own_folder.resolve()):
        raise NotANotebook(f"{one_line(path.name)} is a link to a file that is not this student's")
