"""The name under which each LMS finds the student of a feedback page."""

from __future__ import annotations

import io
import zipfile

import nbformat
import pytest

from autograder.course.labs import find_lab
from autograder.exports.feedback_zip import feedback_file
from autograder.gradebook.read_gradebook import GradebookRow
from autograder.intake.lms.base import SubmittedFile

LAB = find_lab("lab4")
ROW = GradebookRow("Ada_Lovelace_501", "Lovelace, Ada", "", {}, 0.0, 18.0)
MOODLE = "Ada Lovelace_501_assignsubmission_file/"
BRIGHTSPACE = "39786-640693 - Ada Lovelace - Nov 30, 2026 914 PM/"


@pytest.mark.parametrize(
    "lms, prefix, name",
    [
        ("moodle", MOODLE, f"{MOODLE}{LAB.name}.html"),
        ("brightspace", BRIGHTSPACE, f"{BRIGHTSPACE}{LAB.name}.html"),
        ("blackboard", "", f"Ada_Lovelace_501/{LAB.name}.html"),
        ("plain", "", f"Ada_Lovelace_501/{LAB.name}.html"),
    ],
)
def test_the_page_goes_back_under_the_name_that_the_lms_knows(tmp_path, lms, prefix, name):
    file = SubmittedFile(ROW.student, f"{prefix}lab4.ipynb", b"", lms=lms, prefix=prefix)
    assert feedback_file(file, b"<page>", LAB, ROW, tmp_path) == (name, b"<page>")


def test_canvas_gets_a_zip_for_a_zip(tmp_path):
    prefix = "adalovelace_501_9501_"
    file = SubmittedFile(ROW.student, f"{prefix}lab4.zip", b"", lms="canvas", prefix=prefix)
    name, data = feedback_file(file, b"<page>", LAB, ROW, tmp_path)
    assert name == f"{prefix}{LAB.name}.zip"
    assert zipfile.ZipFile(io.BytesIO(data)).read(f"{LAB.name}.html") == b"<page>"


@pytest.mark.parametrize("ending", [".txt", ".json", ""])
def test_canvas_gets_a_text_for_a_notebook_that_was_submitted_as_text(tmp_path, ending):
    file = SubmittedFile("ada_1", f"ada_1_2_lab4.ipynb{ending}", lms="canvas", prefix="ada_1_2_")
    name, data = feedback_file(file, b"the page", LAB, ROW, tmp_path)
    assert name == f"ada_1_2_{LAB.name}{ending or '.ipynb'}"
    text = data.decode()
    if ending != ".txt":
        text = nbformat.reads(text, as_version=4).cells[0].source
    assert "**0 of 18 points.**" in text and text.startswith("# ")
