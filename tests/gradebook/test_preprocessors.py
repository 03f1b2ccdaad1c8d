"""What nbgrader sees of a written answer."""

from __future__ import annotations

import nbformat
from nbgrader.utils import compute_checksum

from autograder.course.cells import role_of
from autograder.course.labs import find_lab
from autograder.gradebook.preprocessors import Repair

LAB = find_lab("lab4")


def test_untouched_written_answers_get_0_without_manual_grading():
    """Only if the student wrote no text in a cell of their own, because the answer may be there."""

    def waiting(notebook):
        repaired, _ = Repair().preprocess(notebook, {"nbgrader": {"assignment": LAB.name}})
        boxes = [c for c in repaired.cells if role_of(c) == "written"]
        return [c.metadata.nbgrader.get("checksum") != compute_checksum(c) for c in boxes]

    def student():
        return nbformat.read(LAB.student, as_version=4)

    def box(notebook, number=0):
        return [c for c in notebook.cells if role_of(c) == "written"][number]

    assert waiting(student()) == [False, False]
    one = student()
    box(one).source += " Because."
    assert waiting(one) == [True, False]
    picture = student()
    box(picture)["attachments"] = {"a.png": {"image/png": "iVBORw0K"}}
    assert waiting(picture) == [True, False]
    elsewhere = student()
    elsewhere.cells.append(nbformat.v4.new_markdown_cell("My answer to 4.5: ..."))
    assert waiting(elsewhere) == [True, True]
    lost = student()
    lost.cells.remove(box(lost))
    assert waiting(lost) == [True, False], "a restored box is not an untouched answer"
