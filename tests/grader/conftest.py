"""Solved labs, shared by the tests of the verdicts."""

from functools import cache

import pytest

from autograder.course.solved import SolvedLab


@pytest.fixture(scope="session")
def bench():
    """One solved lab each, shared by the tests of a process."""
    return cache(SolvedLab)
