"""`nbgrader validate`, which is also JupyterLab's Validate button, on a student's notebook."""

from __future__ import annotations

import io

import nbformat
import pytest

from autograder.course.cells import role_of
from autograder.course.solved import answers_of
from autograder.exercises.kits import mutants
from utils.checks.exercise import find

BLANK, WRONG, RIGHT = "lab4.vector_field", "lab4.cfg_drift", "lab4.cfg_train_loss"


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What nbgrader prints about lab 4 with one blank, one wrong and one right answer; the rest is left out."""
    from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions
    from nbgrader.validator import Validator
    from traitlets.config import Config

    from autograder.course.labs import find_lab
    from autograder.course.source import read_source

    lab = find_lab("lab4")
    notebook = read_source(lab)
    for step in (ClearSolutions(), ClearHiddenTests()):  # of nbgrader's generate_assignment
        notebook, _ = step.preprocess(notebook, {})
    swapped = next(m for m in mutants.load("lab4") if m.exercise == WRONG and m.name == "swapped")
    answers = {WRONG: swapped.source, RIGHT: answers_of(lab)[RIGHT]}
    ids = {f"{find(name).grade_id}{end}" for name in (BLANK, WRONG, RIGHT) for end in ("", "_answer")}
    kept = []
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if role_of(cell) in ("setup", "definitions") or grade_id in ids:
            for name, source in answers.items():
                if grade_id == find(name).answer_id:
                    cell.source = source
            kept.append(cell)
    notebook.cells = kept
    path = tmp_path_factory.mktemp("validated") / "lab4_mnist_cfg.ipynb"
    nbformat.write(notebook, path)
    text = io.StringIO()
    patient = Config(Execute={"iopub_timeout": 300, "timeout": 300})  # on a busy machine
    validator = Validator(config=patient, ignore_checksums=True)
    validator.stream = text
    validator.validate_and_print(str(path))
    return text.getvalue()


def test_a_blank_and_a_wrong_answer_fail_with_the_sentence_of_the_check(said):
    assert said.count("The following cell failed") == 2
    assert f"✗ {BLANK}" in said and "not_implemented" in said
    assert f"✗ {WRONG}" in said and "The weights of the two velocities" not in said  # that is the grader's sentence
    assert "ends_swapped" in said


def test_a_right_answer_passes(said):
    assert f"✗ {RIGHT}" not in said


def test_the_last_line_returns_the_points_where_the_grader_judged(monkeypatch):
    """Nbgrader takes the value of the cell's last line for the points."""
    import utils.checks

    monkeypatch.setattr(utils.checks, "find_judge", lambda: lambda entry, namespace: 1.5)
    assert utils.checks.graded(WRONG) == 1.5
    assert utils.checks.test(WRONG) == 1.5
    monkeypatch.setattr(utils.checks, "_grader", (lambda name: None, lambda evidence: None))
    monkeypatch.setattr(utils.checks, "run_probe", lambda *_: None)
    assert utils.checks.graded(WRONG) is None
    assert utils.checks.test(WRONG) is None
