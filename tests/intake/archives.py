"""Archives as an LMS gives them, made in memory."""

import io
import zipfile

import nbformat

from autograder.course.cells import role_of
from autograder.course.labs import find_lab
from autograder.demo import blank
from autograder.intake.find_collected import find_submissions

LAB = find_lab("lab4")

# Gradescope's file with the names and times of all submissions.
METADATA = """\
---
submission_11:
  :submitters:
  - :name: Ada Lovelace
    :sid: 'u100'
    :email: ada@uni.edu
  :created_at: 2026-11-30 21:14:05.123456000 Z
  :score: 0.0
  :history: []
submission_12:
  :submitters:
  - :name: Ben
    :email: ben@uni.edu
  - :name: Chi Li
  :created_at: 2026-12-01 02:00:00 +02:00
submission_13:
  :submitters:
  - :name: Ada Lovelace
    :sid: 'u100'
  :created_at: 2026-11-30 23:00:00 Z
"""


def notebook(mark="") -> bytes:
    """Return an unsolved notebook of lab 4 whose last cell holds the mark."""
    copy = blank(LAB)
    copy.cells.append(nbformat.v4.new_markdown_cell(mark))
    return nbformat.writes(copy).encode()


def answered(mark="") -> bytes:
    """Return a notebook of lab 4 with one answer, whose last cell holds the mark."""
    copy = nbformat.reads(notebook(mark).decode(), as_version=4)
    cell = next(cell for cell in copy.cells if role_of(cell) == "answer")
    cell.source += "\n# my own line"
    return nbformat.writes(copy).encode()


def archive(path, files: dict[str, bytes]):
    """Write a zip with these files, and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


def own_zip(files: dict[str, bytes]) -> bytes:
    """Return a zip with these files, as a student submits it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return buffer.getvalue()


def marks(folder):
    """Return the mark in the notebook that will be graded, by student."""
    found = find_submissions(folder, LAB)
    return {student: nbformat.read(path, 4).cells[-1].source for student, path in found.items()}


def stamp(folder, student):
    """Return the recorded submission time of a student, or None."""
    path = folder / student / LAB.name / "timestamp.txt"
    return path.read_text().strip() if path.exists() else None
