"""What goes back to an LMS, for archives whose LMS takes none back, and for notebooks with an added ending."""

from __future__ import annotations

import nbformat
import pytest

from autograder.errors import ExportError
from autograder.feedback.lms_zip import feedback_file, write_feedback
from autograder.gradebook.rows import GradebookRow
from autograder.intake.lms.base import SubmittedFile
from tests.intake.archives import LAB, archive, notebook

ROW = GradebookRow("ada_1", "ada", "", {}, 0.0, 18.0)
OTHERS = {
    "Brightspace": "1-2 - Ada - Nov 30, 2026 914 PM/lab4.ipynb",
    "Blackboard": "Lab 4_ada_attempt_2026-11-30-21-14-05_lab4.ipynb",
    "a folder of notebooks": "ada.ipynb",
}


@pytest.mark.parametrize("layout", OTHERS)
def test_an_lms_that_takes_no_feedback_is_named(tmp_path, layout):
    given = archive(tmp_path / "s.zip", {OTHERS[layout]: notebook()})
    with pytest.raises(ExportError, match=f"{layout} accepts no feedback files; hand out the pages in .*feedback"):
        write_feedback(LAB, [ROW], tmp_path, given, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_canvas_gets_a_text_for_a_notebook_that_was_submitted_as_text(tmp_path):
    for ending in (".txt", ".json", ""):
        file = SubmittedFile("ada_1", f"ada_1_2_lab4.ipynb{ending}", lms="canvas", prefix="ada_1_2_")
        name, data = feedback_file(file, b"the page", LAB, ROW, tmp_path)
        assert name == f"ada_1_2_{LAB.name}{ending or '.ipynb'}"
        text = data.decode()
        if ending != ".txt":
            text = nbformat.reads(text, as_version=4).cells[0].source
        assert "**0 of 18 points.**" in text and text.startswith("# ")
