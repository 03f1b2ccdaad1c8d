"""Exercise 3.8: the variances that grade, and those of the public check, against quadrature and solved equations."""

import pytest

from autograder.exercises.lab3.what_guidance_samples import Terms
from tests.exercises.lab3 import oracles
from utils.checks.lab3.what_guidance_samples import EXAMPLE, VARIANCES, Inputs


@pytest.mark.parametrize(
    ("S", "s", "w"), [(4.0, 1.0, 3.0), (2.0, 1.0, 3.0), (3.0, 0.5, 1.7), (2.0, 1.0, 0.0), (2.0, 1.0, 1.0)]
)
def test_the_variances_of_the_grader(S, s, w):
    truth = oracles.variances(S, s, w)
    for label in VARIANCES:
        assert float(Terms.of(Inputs(S, s, w), label).expected) == pytest.approx(truth[label], rel=1e-4), label


def test_the_example_of_the_public_check():
    numbers = {label: number for label, (number, _) in EXAMPLE.items()}
    assert pytest.approx(oracles.variances(4.0, 1.0, 3.0), rel=1e-3) == numbers
