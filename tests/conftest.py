"""Shared by all tests: the labs that exist, one warm sandbox, notebooks made in memory."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("LAB_BUDGET", "ci")
os.environ.setdefault("LAB_SECRET", "the tests' secret")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import nbformat
import pytest

from autograder import ROOT
from autograder.course.labs import Lab, labs
from autograder.course.source import read_source
from autograder.running.bubblewrap import bubblewrap
from autograder.running.limits import Limits
from autograder.running.sandbox import Sandbox


def pytest_configure(config):
    # Programs of the environment (alembic, jupyter) are called by name; the environment need not be activated.
    import sys

    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def needs_bubblewrap() -> None:
    """CI must have it; elsewhere its lack skips."""
    if bubblewrap() is None:
        if os.environ.get("CI"):
            pytest.fail("bubblewrap is missing in CI: `make sandbox` installs it")
        pytest.skip("bubblewrap is not installed")


@pytest.fixture(scope="session")
def sandbox(needs_bubblewrap):
    """One warm template for all tests of this process."""
    with Sandbox(Limits()) as box:
        yield box


@pytest.fixture(scope="session")
def unprotected():
    with Sandbox(Limits(), protected=False) as box:
        yield box


@pytest.fixture(params=labs(), ids=lambda lab: lab.short)
def lab(request) -> Lab:
    return request.param


@pytest.fixture
def solved(lab) -> nbformat.NotebookNode:
    """The instructor's notebook, freshly made: every answer is the model's."""
    return read_source(lab)
