"""Pack the feedback of a whole class into one zip that Canvas and Moodle accept.

Both find a student by a file name that they chose themselves, so the names come from the archive that was collected.
"""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path, PurePosixPath

import nbformat

from autograder.course.labs import Lab, title
from autograder.errors import ExportError
from autograder.gradebook.nbgrader import run_nbgrader
from autograder.gradebook.outcomes import late_notice, outcomes
from autograder.gradebook.rows import GradebookRow, format_points
from autograder.gradebook.spreadsheets import make_private_file
from autograder.intake.archive import latest_files
from autograder.intake.collected import CollectLog
from autograder.intake.lms.base import SubmittedFile
from autograder.progress import progress_by_files


def write_feedback(lab: Lab, rows: list[GradebookRow], course: Path, archive: Path, target: Path) -> list[str]:
    """Write the feedback pages of a class again and pack them.

    Moodle passes the page on. Canvas renames what it gets to the name of the student's submission, so a student who
    submitted a zip gets a zip with the page, and one who submitted a notebook gets a notebook with the same findings.

    Args:
        lab: The lab.
        rows: The class in the gradebook.
        course: The course's folder.
        archive: The zip that was collected from Canvas or Moodle.
        target: The zip to write.

    Returns:
        One line for each student who is left out.

    Raises:
        ExportError: The archive is from Gradescope, or no feedback could be packed.
        BadArchive: The archive cannot be used.
    """
    log = CollectLog()
    files = {student: file for (student, _), (file, _) in latest_files(archive, lab, log).items()}
    if any(file.lms == "gradescope" for file in files.values()):
        raise ExportError("Gradescope accepts no feedback files; use --to gradescope")
    pages = write_pages(lab, rows, course)
    left_out, packed = [], 0
    with zipfile.ZipFile(make_private_file(target), "w", zipfile.ZIP_DEFLATED) as out:
        for row in rows:
            page, file = pages.get(row.student), files.get(row.student)
            if file is None:
                left_out.append(f"{row.student}: not in {archive.name}")
            elif page is None:
                left_out.append(f"{row.student}: nbgrader could not write the feedback page")
            else:
                out.writestr(*feedback_file(file, page.read_bytes(), lab, row, course))
                packed += 1
    ungraded = log.students - {row.student for row in rows}
    left_out += [f"{student}: no grade in the gradebook" for student in sorted(ungraded)]
    if not packed:
        target.unlink()
        raise ExportError("no feedback could be packed:\n  " + "\n  ".join(left_out))
    return left_out


def write_pages(lab: Lab, rows: list[GradebookRow], course: Path) -> dict[str, Path]:
    """Let nbgrader write the feedback pages, and return those that it wrote now, by student.

    An older page does not count, because it shows old points.
    """
    started, folder = time.time() - 1, course / "feedback"
    with progress_by_files("feedback pages", folder, f"*/{lab.name}/*.html", len(rows)):
        run_nbgrader(course, lab, "generate_feedback")
    pages = {row.student: folder / row.student / lab.name / f"{lab.name}.html" for row in rows}
    return {student: page for student, page in pages.items() if page.is_file() and page.stat().st_mtime >= started}


def feedback_file(file: SubmittedFile, page: bytes, lab: Lab, row: GradebookRow, course: Path) -> tuple[str, bytes]:
    """Return the name and the content of what goes back to one student.

    Args:
        file: What the student submitted.
        page: The feedback page.
        lab: The lab.
        row: The student in the gradebook.
        course: The course's folder.
    """
    name = f"{lab.name}.html"
    if file.lms == "moodle":
        return file.prefix + name, page
    kind = PurePosixPath(file.name.lower()).suffix
    if kind == ".zip":
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as own:
            own.writestr(name, page)
        return f"{file.prefix}{lab.name}{kind}", inner.getvalue()
    return f"{file.prefix}{lab.name}{kind}", nbformat.writes(feedback_notebook(lab, row, course)).encode()


def feedback_notebook(lab: Lab, row: GradebookRow, course: Path) -> nbformat.NotebookNode:
    """Return points and findings as a notebook of one text cell, which Jupyter and Colab show without running it."""
    points = f"**{format_points(row.points)} of {format_points(row.max_points)} points.** {late_notice(row)}"
    parts = [f"# {title(lab)}: feedback", points]
    for outcome in outcomes(lab, row, course):
        earned = f"{format_points(outcome.points)} of {format_points(outcome.exercise.points)}"
        parts += [f"## {outcome.exercise.title}: {earned}", outcome.text]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("\n\n".join(parts))])
