"""Exercise 3.8: the variances that grade, and those of the public check, against quadrature and solved equations."""

import pytest

from autograder.exercises.lab3.what_guidance_samples import Terms
from tests.exercises.lab3 import oracles
from utils.checks.challenge import Challenge
from utils.checks.lab3.what_guidance_samples import PUBLIC, RUNS, TOLERANCE, VARIANCES, Inputs


@pytest.mark.parametrize("run", RUNS)
def test_the_variances_of_the_grader(run):
    inputs = Inputs.of(Challenge("lab3.test", b"a key"), run)
    truth = oracles.variances(inputs.S, inputs.s, inputs.w)
    for label in VARIANCES:
        assert float(Terms.of(inputs, label).expected) == pytest.approx(truth[label], rel=TOLERANCE / 100), label


@pytest.mark.parametrize("run", RUNS)
def test_the_variances_of_the_public_check(run):
    inputs = Inputs.of(Challenge.public("lab3.what_guidance_samples"), run)
    truth = oracles.variances(inputs.S, inputs.s, inputs.w)
    assert PUBLIC[run] == pytest.approx([truth[label] for label in VARIANCES], rel=TOLERANCE / 50)
