"""Fixtures of lab 2's oracle tests."""

from __future__ import annotations

import pytest
import torch

from autograder.course.labs import find_lab
from utils.experiments.answers import run_cells


@pytest.fixture(scope="session")
def lab2() -> dict:
    """The names that the model answers of lab 2 define."""
    return run_cells(find_lab("lab2").solution)


@pytest.fixture(autouse=True)
def double():
    """Float64 by default, and a fixed seed; both are restored afterwards."""
    dtype, state = torch.get_default_dtype(), torch.get_rng_state()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(dtype)
    torch.set_rng_state(state)
