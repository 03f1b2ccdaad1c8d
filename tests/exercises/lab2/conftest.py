"""Fixtures of lab 2's oracle tests."""

from __future__ import annotations

import pytest

from autograder.course.labs import find_lab
from utils.experiments.answers import run_cells


@pytest.fixture(scope="session")
def lab2() -> dict:
    """The names that the model answers of lab 2 define."""
    return run_cells(find_lab("lab2").solution)


@pytest.fixture(autouse=True)
def always_float64(float64):
    """Every test of this folder computes in float64."""
