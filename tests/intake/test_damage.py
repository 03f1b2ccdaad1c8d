"""A damaged submission costs only the points of what is lost, and each repair is reported; other files are rejected."""

import json
import time

import nbformat
import pytest

from autograder.errors import NotANotebook
from autograder.intake.open_submission import open_submission
from autograder.intake.repair import repair
from autograder.judging.grade import judge_run, run_submission
from autograder.running.passes import execute_task
from autograder.running.tasks import make_task
from tests.intake.damages import FULL, LAB, solved
from tests.robustness.cases import DAMAGES, REJECTED

SECRET = b"a secret"


@pytest.fixture(scope="module")
def runs():
    """The runs of this file by what was run: what a repair restores runs once, as in the store of a course."""
    return {}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_costs_only_what_is_gone(name, runs, sandbox, tmp_path):
    case = DAMAGES[name]
    notebook = solved()
    case.damage(notebook)
    path = tmp_path / "submission.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    submission = open_submission(path, LAB)
    task = make_task(submission, SECRET)
    if task.submission_hash not in runs:
        runs[task.submission_hash] = execute_task(task, sandbox)
    grade = judge_run(submission, runs[task.submission_hash], SECRET)
    said = " ".join(
        [*grade.repairs, *grade.problems, *(f.message for v in grade.verdicts.values() for f in v.findings)]
    )
    assert grade.points == case.points, said
    assert grade.max_points == FULL
    assert case.said is None or case.said in said
    assert "needs_a_person" not in [f.code for v in grade.verdicts.values() for f in v.findings]


def test_there_are_as_many_cases_as_promised():
    assert len(DAMAGES) + len(REJECTED) >= 70


@pytest.mark.parametrize("name", REJECTED)
def test_a_file_that_is_no_notebook_is_rejected_with_one_sentence(name, tmp_path):
    path = tmp_path / "submission.ipynb"
    path.write_bytes(REJECTED[name].data)
    with pytest.raises(NotANotebook) as rejection:
        open_submission(path)
    assert "submission.ipynb" in str(rejection.value) and "\n" not in str(rejection.value)


def test_missing_huge_and_special_files_are_rejected(tmp_path):
    for path in (tmp_path / "none.ipynb", tmp_path):
        with pytest.raises(NotANotebook):
            open_submission(path)
    huge = tmp_path / "huge.ipynb"
    with huge.open("wb") as file:
        file.truncate(100 * 2**20)
    with pytest.raises(NotANotebook, match="MB"):
        open_submission(huge)


@pytest.mark.parametrize(
    "source",
    ["\n" * 300_000, " " * 300_000, "<!--" * 100_000, "# GRADED: " * 50_000, "check('" * 100_000],
    ids=["line ends", "spaces", "comments", "markers", "checks"],
)
def test_a_long_cell_is_read_in_linear_time(source, tmp_path):
    """Everything that reads a source must take linear time, because a class waits for it."""
    notebook = solved()
    notebook.cells.insert(0, nbformat.v4.new_code_cell(source))
    notebook.cells.insert(1, nbformat.v4.new_code_cell("# GRADED: lab4.cfg_drift\n" + source))
    path = tmp_path / "long.ipynb"
    path.write_text(json.dumps(notebook))
    start = time.process_time()  # of this process alone: other work on the machine does not count
    open_submission(path, LAB)
    assert time.process_time() - start < 10


def test_a_text_cell_between_code_cells_moves_the_outputs(sandbox):
    """Outputs are stored by the index of their cell, so the same code at other indices is another run."""
    runs = []
    for texts in (0, 2):
        notebook = solved()
        notebook.cells.insert(1, nbformat.v4.new_code_cell("print('here')"))
        notebook.cells[:0] = [nbformat.v4.new_markdown_cell("text")] * texts
        submission = repair(notebook, LAB)
        runs.append(run_submission(submission, sandbox, SECRET))
        place = next(i for i, c in enumerate(submission.notebook.cells) if c.source == "print('here')")
        assert "here" in str(runs[-1].outputs[place])
    assert runs[0].submission_hash != runs[1].submission_hash


def test_a_notebook_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "bom.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(solved()).encode())
    assert open_submission(path).lab == LAB


def test_an_old_notebook_format_is_converted(tmp_path, sandbox):
    notebook = nbformat.convert(solved(), 3)
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps(notebook))
    submission = open_submission(path, LAB)
    assert judge_run(submission, run_submission(submission, sandbox, SECRET), SECRET).points == FULL
