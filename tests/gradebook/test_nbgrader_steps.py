"""What nbgrader sees of a written answer, and of the grades that `autograder grade` hands over."""

from __future__ import annotations

import json
from dataclasses import replace

import nbformat
import pytest
from nbgrader.utils import compute_checksum

from autograder.course.cells import role_of
from autograder.course.labs import find_lab
from autograder.gradebook import nbgrader_steps
from autograder.gradebook.grade_handover import FILE, hand_grade, handed_grade
from autograder.gradebook.nbgrader_steps import Repair, RunAndJudge
from autograder.judging.class_run import judge_class, open_class

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


@pytest.fixture(scope="module")
def dia(course):
    """A student of the graded course who made one mistake, judged again."""
    class_run = open_class(LAB, course / "submitted", course)
    class_run.students = [entry for entry in class_run.students if entry.student == "dia@uni.edu"]
    judge_class(class_run)
    return class_run.students[0]


def test_a_grade_is_handed_over_whole_and_for_its_own_run_only(dia, tmp_path):
    (tmp_path / dia.student).mkdir()
    assert handed_grade(tmp_path, dia.student, dia.key) is None
    hand_grade(dia, tmp_path)
    assert dia.grade.points < dia.grade.max_points
    assert handed_grade(tmp_path, dia.student, dia.key) == dia.grade
    assert handed_grade(tmp_path, dia.student, "another run") is None


def test_nbgraders_pass_judges_only_what_it_was_not_handed(dia, course, tmp_path, monkeypatch):
    (tmp_path / dia.student).mkdir()
    hand_grade(dia, tmp_path)
    document = json.loads((tmp_path / dia.student / FILE).read_text())
    judged = []
    judge_run = nbgrader_steps.judge_run
    monkeypatch.setattr(nbgrader_steps, "judge_run", lambda *words: judged.append(words) or judge_run(*words))
    resources = {"nbgrader": {"assignment": LAB.name, "student": dia.student}}

    def graded(**place):
        notebook, _ = RunAndJudge(store=str(course / "store"), **place).preprocess(
            nbformat.read(course / "autograded" / dia.student / LAB.name / f"{LAB.name}.ipynb", as_version=4), resources
        )
        return notebook

    with_handed = graded(handed=str(tmp_path))
    assert not judged
    assert graded() == with_handed and len(judged) == 1
    (tmp_path / dia.student / FILE).write_text(json.dumps(document | {"run": "another"}))
    assert graded(handed=str(tmp_path)) == with_handed and len(judged) == 2


def test_the_page_says_what_was_noted_when_the_submission_was_first_read(dia, course, tmp_path):
    """Nbgrader's pass reads a tidy copy, which shows no more that the file was in an old format."""
    (tmp_path / dia.student).mkdir()
    noted = replace(dia, grade=replace(dia.grade, repairs=("its old format was converted", *dia.grade.repairs)))
    hand_grade(noted, tmp_path)
    page = nbformat.read(course / "autograded" / dia.student / LAB.name / f"{LAB.name}.ipynb", as_version=4)
    step = RunAndJudge(store=str(course / "store"), handed=str(tmp_path))
    notebook, _ = step.preprocess(page, {"nbgrader": {"assignment": LAB.name, "student": dia.student}})
    assert "its old format was converted" in notebook.metadata.guidance_labs.repairs
