"""`autograder export --to feedback`: feedback for a whole class in one zip, as Canvas and Moodle take it back.

They find a student by the name that they gave to a file themselves. So the names come from the archive that was collected.
"""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path, PurePosixPath

import nbformat

from autograder.course.labs import Lab, title
from autograder.errors import ExportError
from autograder.gradebook.nbgrader import nbgrader
from autograder.gradebook.rows import Row, late_words, number, outcomes
from autograder.gradebook.spreadsheets import private
from autograder.intake.collect import latest_files
from autograder.intake.lms.base import Collected, File
from autograder.progress import counting


def write_feedback(lab: Lab, rows: list[Row], course: Path, archive: Path, target: Path) -> list[str]:
    """Write the pages anew and pack them. Returns a line for everybody who gets nothing.

    Moodle hands the page on. Canvas gives what comes back the name of what the student had handed in: a zip gets the page
    inside, and a notebook is answered by a notebook with the same findings.

    Raises:
        ExportError: Gradescope's archive, or no page could be written.
        BadArchive: an archive that cannot be used.
    """
    seen = Collected()
    files = {student: file for (student, _), (file, _) in latest_files(archive, lab, seen).items()}
    if any(file.lms == "gradescope" for file in files.values()):
        raise ExportError("Gradescope takes no feedback files; use --to gradescope")
    began, pages = time.time() - 1, course / "feedback"
    with counting("feedback pages", pages, f"*/{lab.name}/*.html", len(rows)):
        nbgrader(course, lab, "generate_feedback")
    lines, packed = [], 0
    with zipfile.ZipFile(private(target), "w", zipfile.ZIP_DEFLATED) as out:
        for row in rows:
            page, file = pages / row.student / lab.name / f"{lab.name}.html", files.get(row.student)
            if file is None:
                lines.append(f"{row.student}: not in {archive.name}")
            elif not page.is_file() or page.stat().st_mtime < began:  # an old one has old points
                lines.append(f"{row.student}: nbgrader could not write the feedback page")
            else:
                out.writestr(*answer(file, page.read_bytes(), lab, row, course))
                packed += 1
    ungraded = seen.people - {row.student for row in rows}
    lines += [f"{student}: no grade in the gradebook" for student in sorted(ungraded)]
    if not packed:
        target.unlink()
        raise ExportError("no feedback could be packed:\n  " + "\n  ".join(lines))
    return lines


def answer(file: File, page: bytes, lab: Lab, row: Row, course: Path) -> tuple[str, bytes]:
    """Name and content of what goes back to one student."""
    name = f"{lab.name}.html"
    if file.lms == "moodle":
        return file.prefix + name, page
    kind = PurePosixPath(file.name.lower()).suffix
    if kind == ".zip":
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as own:
            own.writestr(name, page)
        return f"{file.prefix}{lab.name}{kind}", inner.getvalue()
    return f"{file.prefix}{lab.name}{kind}", nbformat.writes(as_notebook(lab, row, course)).encode()


def as_notebook(lab: Lab, row: Row, course: Path) -> nbformat.NotebookNode:
    """Points and findings alone, in a notebook that Jupyter and Colab show without running anything."""
    points = f"**{number(row.points)} of {number(row.max_points)} points.** {late_words(row)}"
    parts = [f"# {title(lab)}: feedback", points]
    for entry, score, text in outcomes(lab, row, course):
        parts += [f"## {entry.title}: {number(score)} of {number(entry.points)}", text]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("\n\n".join(parts))])
