"""nbgrader's own command is the first one of a course."""

from functools import partial

import nbformat
import pytest

from autograder.course.labs import find_lab
from autograder.demo import CLASS
from autograder.gradebook.nbgrader import open_gradebook, with_bin_on_path
from autograder.gradebook.nbgrader_process import call_nbgrader
from autograder.gradebook.supervise import supervise

LAB = find_lab("lab4")


@pytest.mark.usefixtures("needs_bubblewrap")
def test_nbgrader_autograde_grades_in_a_course_without_a_gradebook(tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_GRADEBOOK", raising=False)
    place = tmp_path / "submitted" / "dia" / LAB.name
    place.mkdir(parents=True)
    nbformat.write(CLASS["dia"](LAB), place / f"{LAB.name}.ipynb")
    environment = with_bin_on_path() | {"LAB_COURSE": str(tmp_path)}
    done = supervise(partial(call_nbgrader, ["autograde", LAB.name], environment, None), bool)
    assert done.returncode == 0, done.stderr[-2000:]
    with open_gradebook(tmp_path) as book:
        submission = book.find_submission(LAB.name, "dia")
        assert (submission.score, submission.max_score) == (10, 18)
    assert not (tmp_path / "release").exists(), "only the gradebook is written"
