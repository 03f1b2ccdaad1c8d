"""The solved lab as a namespace."""

import pytest

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab, execute_source


@pytest.fixture(scope="module")
def solved():
    """Lab 4 with all model answers."""
    return SolvedLab(find_lab("lab4"))


def test_an_annotation_that_is_not_imported_fails_as_in_a_notebook():
    with pytest.raises(NameError, match="Float64"):
        execute_source("def f(x) -> Float64['b']: return x", {})


def test_another_answer_does_not_inherit_the_models(solved):
    exercise = "lab4.cfg_train_loss"
    assert "CFGTrainer" in solved.namespace and "CFGTrainer" in solved.with_answer(exercise, solved.answers[exercise])
    assert "CFGTrainer" not in solved.with_answer(exercise, "pass")
    names = solved.with_answer(exercise, "CFGTrainer = helper", setup="helper = 3")
    assert names["CFGTrainer"] == 3 and solved.namespace["CFGTrainer"] != 3
