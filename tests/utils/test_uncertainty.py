"""A number has the digits of its error."""

import pytest

from utils.uncertainty import with_error


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.0933, 0.002, "0.093 ± 0.002"),
        (0.0933, 0.0012, "0.0933 ± 0.0012"),
        (0.5, 0.0196, "0.50 ± 0.02"),
        (123.4, 31.0, "123 ± 31"),
        (0.99, 0.0, "0.99 ± 0"),
    ],
)
def test_value_and_error_end_at_the_same_place(value, error, text):
    assert with_error(value, error) == text


def test_a_negative_error_is_none():
    with pytest.raises(ValueError, match="at least 0"):
        with_error(1.0, -0.1)
