"""Pack the feedback of a whole class into one zip that Canvas, Moodle and Brightspace accept.

They find a student by a name that they chose themselves, so the names come from the archive that was collected. For an
archive from elsewhere the zip has a folder for each student, to hand out in another way.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

import nbformat

from autograder.course.labs import Lab, title
from autograder.errors import ExportError
from autograder.feedback.plain_page import write_plain_page
from autograder.gradebook.lock import course_lock
from autograder.gradebook.outcomes import late_notice, outcomes
from autograder.gradebook.read_gradebook import GradebookRow, format_points
from autograder.gradebook.record_grades import ClassCommands
from autograder.gradebook.spreadsheets import make_private_file
from autograder.intake.collect_log import CollectLog
from autograder.intake.lms.base import SubmittedFile
from autograder.intake.lms_archive import latest_files

TAKE_PAGES = ("moodle", "brightspace")  # pass a file on under its own name


def write_feedback(lab: Lab, rows: list[GradebookRow], course: Path, archive: Path, target: Path) -> list[str]:
    """Write the feedback pages of a class again and pack them.

    Moodle and Brightspace pass the page on. Canvas renames what it gets to the name of the student's submission, so a
    student who submitted a zip gets a zip with the page, and one who submitted a notebook gets a notebook with the same
    findings.

    Args:
        lab: The lab.
        rows: The class in the gradebook.
        course: The course's folder.
        archive: The zip that was collected.
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
    left_out: list[str] = []
    pages, packed = write_pages(lab, rows, course, left_out), 0
    with zipfile.ZipFile(make_private_file(target), "w", zipfile.ZIP_DEFLATED) as out:
        for row in rows:
            page, file = pages.get(row.student), files.get(row.student)
            if file is None:
                left_out.append(f"{row.student}: not in {archive.name}")
            elif page is not None:
                out.writestr(*feedback_file(file, page.read_bytes(), lab, row, course))
                packed += 1
    ungraded = log.students - {row.student for row in rows}
    left_out += [f"{student}: no grade in the gradebook" for student in sorted(ungraded)]
    if not packed:
        target.unlink()
        raise ExportError("no feedback could be packed:\n  " + "\n  ".join(left_out))
    return left_out


def write_pages(lab: Lab, rows: list[GradebookRow], course: Path, left_out: list[str]) -> dict[str, Path]:
    """Let nbgrader write the feedback pages, and return them by student.

    An older page does not count, because it shows old points. A student whose page nbgrader could not write gets a
    plain one.

    Args:
        lab: The lab.
        rows: The class in the gradebook.
        course: The course's folder.
        left_out: Receives a line for each plain page.
    """
    with course_lock(course) as lock:
        missing = ClassCommands(course, lab, [row.student for row in rows], lock).feedback_pages()
    pages = {}
    for row in rows:
        place = course / "feedback" / row.student / lab.name / f"{lab.name}.html"
        if row.student in missing or not place.is_file():
            write_plain_page(lab, row, course)
            why = f"its page could not be written{missing.get(row.student, '')}; the points are sent"
            left_out.append(f"{row.student}: the notebook, because {why}")
        pages[row.student] = place
    return pages


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
    if file.lms in TAKE_PAGES:
        return file.prefix + name, page
    if file.lms != "canvas":
        return f"{row.student}/{name}", page
    kind = PurePosixPath(file.name.lower()).suffix
    if kind == ".zip":
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as own:
            own.writestr(name, page)
        return f"{file.prefix}{lab.name}{kind}", inner.getvalue()
    notebook = feedback_notebook(lab, row, course)
    if kind == ".txt":  # a notebook that a browser saved as text: what goes back gets its name, so it is a text
        return f"{file.prefix}{lab.name}{kind}", notebook.cells[0].source.encode()
    return f"{file.prefix}{lab.name}{kind}", nbformat.writes(notebook).encode()


def feedback_notebook(lab: Lab, row: GradebookRow, course: Path) -> nbformat.NotebookNode:
    """Return points and findings as a notebook of one text cell, which Jupyter and Colab show without running it."""
    points = f"**{format_points(row.points)} of {format_points(row.max_points)} points.** {late_notice(row)}"
    parts = [f"# {title(lab)}: feedback", points]
    for outcome in outcomes(lab, row, course):
        earned = f"{format_points(outcome.points)} of {format_points(outcome.exercise.points)}"
        parts += [f"## {outcome.exercise.title}: {earned}", outcome.text]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("\n\n".join(parts))])
