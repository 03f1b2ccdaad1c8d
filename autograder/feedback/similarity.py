"""Similar submissions of a class, found by copydetect (winnowing of code in which names and strings do not count).

What was given, the model answers, and what many students wrote are left out. The rest is a hint for a person: short
right answers resemble each other, and friends may have the same source.

References:
    Schleimer, Wilkerson, Aiken: Winnowing: Local Algorithms for Document Fingerprinting (SIGMOD 2003).
"""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import numpy as np
from nbformat import NotebookNode
from scipy.sparse import csr_array

from autograder.course.cells import role_of
from autograder.course.releases import find_release
from autograder.errors import MissingPackage
from autograder.feedback.markup import fill
from autograder.gradebook.spreadsheets import write_private
from autograder.judging.class_run import ClassRun

if TYPE_CHECKING:
    from copydetect import CodeFingerprint

OWN = ("answer", "illustration", "")  # roles of code cells in which students write
GRAM = 25  # characters of tokenised code that must agree: about one line
LEAST = 60  # fingerprints that a pair must share to be listed: about three lines
PAIRS = 50  # that are listed
LONGEST = 50_000  # characters of one submission that are compared; pygments takes too long on more
PIECES = 8  # of the shared code that a pair shows
COMMON_SHARE, FEWEST_COMMON = 0.1, 5  # what so many students have written is a usual way, and no hint


@dataclass(frozen=True)
class Pair:
    """Two similar submissions.

    Attributes:
        students: The two ids.
        shares: Which share of each student's remaining code is also in the other's.
        pieces: The code that both have, as the first student wrote it.
    """

    students: tuple[str, str]
    shares: tuple[float, float]
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class Similarity:
    """The similar pairs of a class, the most similar first; `skipped` are the students whose notebook is not one."""

    lab: str
    compared: int
    pairs: list[Pair]
    skipped: list[str]


def find_similar(class_run: ClassRun) -> Similarity:
    """Compare all submissions of a class.

    Raises:
        MissingPackage: copydetect is not installed.
    """
    given = given_fingerprints(class_run)
    students, prints = [], []
    for entry in class_run.students:
        if entry.submission is not None:
            students.append(entry.student)
            prints.append(without(fingerprint(code_of(entry.submission.notebook)), given))
    leave_out_common(prints)
    pairs = [compare(students, prints, i, j) for i, j in candidates(prints)]
    pairs.sort(key=lambda pair: (-max(pair.shares), pair.students))
    skipped = [entry.student for entry in class_run.students if entry.submission is None]
    return Similarity(class_run.lab.name, len(students), pairs, skipped)


def code_of(notebook: NotebookNode, roles: tuple[str, ...] = OWN) -> str:
    """Return the code in the cells of some roles, cut to what can be compared in bounded time."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code" and role_of(cell) in roles]
    return re.sub(r"\s{100,}", "\n", "\n\n".join(cells)[:LONGEST])


def fingerprint(code: str) -> CodeFingerprint:
    """Return copydetect's fingerprint of a text.

    Raises:
        MissingPackage: copydetect is not installed.
    """
    try:
        from copydetect import CodeFingerprint
    except ImportError as error:
        raise MissingPackage("similarity", "copydetect") from error
    return CodeFingerprint("answers.py", GRAM, 1, language="python", fp=io.StringIO(code))


def given_fingerprints(class_run: ClassRun) -> set[int]:
    """Return the fingerprints of the released code and of the model answers, of every release in the class."""
    lab = class_run.lab
    releases = {entry.submission.release for entry in class_run.students if entry.submission is not None}
    notebooks = [find_release(lab, release) for release in sorted(releases)]
    notebooks.append(nbformat.read(lab.student, as_version=4))
    found: set[int] = set()
    for notebook in notebooks:
        found |= fingerprint(code_of(notebook)).hashes  # with the places where one cell follows another
        for cell in notebook.cells:
            if cell.cell_type == "code":
                found |= fingerprint(cell.source).hashes
    return found


def without(one: CodeFingerprint, left_out: set[int]) -> CodeFingerprint:
    """Return a fingerprint without some hashes.

    copydetect's own argument `boilerplate` also drops hashes that a document merely has twice.
    """
    from copydetect.utils import get_token_coverage

    one.hashes -= left_out
    one.hash_idx = {key: places for key, places in one.hash_idx.items() if key not in left_out}
    one.token_coverage = get_token_coverage(one.hash_idx, GRAM, len(one.filtered_code))
    return one


def leave_out_common(prints: list[CodeFingerprint]) -> None:
    """Leave out of all fingerprints what many students have written."""
    counts = Counter(key for one in prints for key in one.hashes)
    many = max(FEWEST_COMMON, COMMON_SHARE * len(prints))
    common = {key for key, count in counts.items() if count > many}
    for one in prints:
        without(one, common)


def candidates(prints: list[CodeFingerprint]) -> list[tuple[int, int]]:
    """Return the pairs that share most, by one sparse product in place of a comparison for each pair."""
    columns: dict[int, int] = {}
    rows = [[columns.setdefault(key, len(columns)) for key in one.hashes] for one in prints]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    flat = np.array([column for row in rows for column in row], dtype=np.int64)
    table = csr_array((np.ones(len(flat), np.int32), flat, ends), shape=(len(prints), max(1, len(columns))))
    shared = (table @ table.T).tocoo()
    sizes = np.diff(ends)
    found = [
        (count / min(sizes[i], sizes[j]), int(i), int(j))
        for i, j, count in zip(*shared.coords, shared.data, strict=True)
        if i < j and count >= LEAST
    ]
    return [(i, j) for _, i, j in sorted(found, reverse=True)[:PAIRS]]


def compare(students: list[str], prints: list[CodeFingerprint], i: int, j: int) -> Pair:
    """Return the pair of two students, compared by copydetect."""
    from copydetect import compare_files

    one, other = prints[i], prints[j]
    _, shares, (places, _) = compare_files(one, other)
    starts, ends = np.asarray(places, dtype=int)
    longest = np.argsort(starts - ends)[:PIECES]
    pieces = tuple(one.raw_code[starts[k] : ends[k]].strip("\n") for k in sorted(longest))
    return Pair((students[i], students[j]), (float(shares[0]), float(shares[1])), pieces)


def write_similarity(found: Similarity, place: Path) -> Path:
    """Write the report as one page that only its owner can read, and return its path."""
    place.parent.mkdir(parents=True, exist_ok=True)
    many, longest = f"{COMMON_SHARE:.0%}", f"{LONGEST:,}"
    write_private(place, fill("similarity.html", found=found, limit=PAIRS, many=many, longest=longest))
    return place
