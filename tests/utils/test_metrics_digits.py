"""Estimates print with the digits that they deserve."""

import math

from utils.metrics import Estimate, over_seeds


def test_value_and_error_of_an_estimate_end_at_the_same_digit():
    assert str(Estimate(0.0933, 0.0021)) == "0.093 ± 0.002"
    assert str(over_seeds([0.99, 0.99, 0.99])) == "0.99 ± 0"  # equal runs
    assert str(Estimate(1.0, math.nan)) == "1 ± nan"  # a single run
