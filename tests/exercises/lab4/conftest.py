"""The model answers of lab 4, and float64 with a fixed seed for every test."""

from __future__ import annotations

import contextlib
import io

import pytest

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab


@pytest.fixture(scope="package")
def lab() -> dict:
    """The namespace of the solved lab."""
    with contextlib.redirect_stdout(io.StringIO()):
        return SolvedLab(find_lab("lab4")).namespace


@pytest.fixture(autouse=True)
def always_float64(float64):
    """Every test of this folder computes in float64."""
