from functools import cache

import pytest

from autograder.validation.kill_matrix import Bench


@pytest.fixture(scope="session")
def bench():
    """One solved namespace a lab, shared by the tests of a process."""
    return cache(Bench)
