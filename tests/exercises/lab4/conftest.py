"""The model answers of lab 4, and float64 with a fixed seed for every test."""

from __future__ import annotations

import contextlib
import io

import pytest
import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab


@pytest.fixture(scope="package")
def lab() -> dict:
    """The namespace of the solved lab."""
    with contextlib.redirect_stdout(io.StringIO()):
        return SolvedLab(find_lab("lab4")).namespace


@pytest.fixture(autouse=True)
def double():
    """Compute in float64, from a fixed seed."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)
