"""Shared by all tests: the labs that exist, one warm sandbox, notebooks made in memory, and a guard of global state."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

# Defaults of the whole process, before anything is imported. A test that needs another value uses `monkeypatch`.
os.environ.setdefault("LAB_BUDGET", "ci")
os.environ.setdefault("LAB_SECRET", "the tests' secret")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import nbformat
import pytest
import torch

from autograder import ROOT
from autograder.course.labs import Lab, find_lab, labs
from autograder.course.solved import SolvedLab
from autograder.course.source import read_source
from autograder.running.bubblewrap import bubblewrap
from autograder.running.limits import Limits
from autograder.running.sandbox import Sandbox
from tests.shared import made_once

# A test that uses one of these fixtures, itself or through another fixture, gets the marker.
MARKER_OF_FIXTURE = {"needs_bubblewrap": "sandbox", "browser": "browser", "site": "browser"}
# Files whose tests take long and share nothing. The tests of any other file stay in one process.
SPLIT = ("course/test_notebooks.py", "validation/test_kill_matrix.py")
# Files that judge thousands of answers, which takes twice as long while lines are counted. Others cover the same code.
UNCOVERED = ("exercises/test_robust.py",)
# Set by pytest for each phase of a test, or by a library when it is imported for the first time.
SET_BY_OTHERS = (
    "PYTEST_", "KMP_", "TF_", "TORCHINDUCTOR_", "QT_", "PYDEVD_", "COV_",
    "__DASK_", "MALLOC_TRIM_THRESHOLD_", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED",
)  # fmt: skip


def pytest_configure(config):
    """Put the environment's programs on PATH: alembic and jupyter are called by name, also without activation."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist there is nothing to share
def pytest_xdist_make_scheduler(config, log):
    """Share the suite between processes by file, and the files in `SPLIT` by test."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return nodeid if file.endswith(SPLIT) else file

    config.option.loadscopereorder = False  # the longest come first: see below
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    """Mark the tests by what they start and read, and those that count no lines, and let the longest begin first."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(SPLIT))
    for item in items:
        if item.path.as_posix().endswith(UNCOVERED) or "/tests/validation/" in item.path.as_posix():
            item.add_marker("no_cover")
        for fixture, marker in MARKER_OF_FIXTURE.items():
            if fixture in item.fixturenames:
                item.add_marker(marker)


def pytest_terminal_summary(terminalreporter):
    """Where pytest prints the slowest tests, print the slowest files too: many short tests may cost more."""
    if not terminalreporter.config.option.durations:
        return
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.split("::")[0]] += report.duration
    terminalreporter.section("slowest files")
    for file, took in seconds.most_common(40):
        terminalreporter.write_line(f"{took:7.1f}s {file}")


def global_state() -> dict[str, object]:
    """Return what tests share: torch's default type, the working directory and the environment."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(SET_BY_OTHERS)}
    return {"default dtype": torch.get_default_dtype(), "cwd": Path.cwd()} | environment


@pytest.fixture(autouse=True)
def global_state_is_restored():
    """Fail a test that leaves global state changed.

    The state of torch's random numbers and `sys.path` are restored without a word: nbgrader extends the latter.
    """
    before, numbers, import_path = global_state(), torch.get_rng_state(), [*sys.path]
    yield
    torch.set_rng_state(numbers)
    sys.path[:] = import_path
    after = global_state()
    torch.set_default_dtype(before["default dtype"])
    os.chdir(before["cwd"])
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    assert not changed, f"the test left changed: {', '.join(changed)}; use monkeypatch, or a fixture that restores"


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def needs_bubblewrap() -> None:
    """Skip the test where bubblewrap is missing. In CI it fails."""
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
    """The same as `sandbox`, without bubblewrap."""
    with Sandbox(Limits(), protected=False) as box:
        yield box


@pytest.fixture(scope="session")
def scheduler(needs_bubblewrap):
    """The address of a scheduler with one worker, whose sandbox stays warm for all classes of this process."""
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set({"distributed.worker.daemon": False}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(scope="session")
def graded_class(scheduler, tmp_path_factory) -> Path:
    """The course of a class graded with feedback pages, for all processes of this run: read it, or copy it."""
    from tests.lab4_class import grade_class  # brings nbgrader, which most runs of a few tests do not need

    return made_once(tmp_path_factory, "graded_class", lambda folder: grade_class(folder, scheduler))


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The site, built once for all processes of this run."""
    pytest.importorskip("sphinx", reason="the site's extra is not installed: pip install -e '.[site]'")
    from docs.site import build

    def make(folder: Path) -> None:
        assert build.build(folder) == 0, "a link, or an answer: see above"

    return made_once(tmp_path_factory, "site", make)


@pytest.fixture(params=labs(), ids=lambda lab: lab.short)
def lab(request) -> Lab:
    """Each lab of the registry in turn."""
    return request.param


@pytest.fixture(scope="session")
def lab4() -> Lab:
    """Lab 4, the example of most tests that need one lab."""
    return find_lab("lab4")


@pytest.fixture
def solved(lab) -> nbformat.NotebookNode:
    """The instructor's notebook, freshly made: every answer is the model answer."""
    return read_source(lab)


@pytest.fixture(scope="session")
def solved_lab() -> Callable[[Lab], SolvedLab]:
    """A function that executes the model answers of a lab, once for each lab and process."""
    return cache(SolvedLab)


@pytest.fixture
def float64():
    """Compute in float64 by default, from a fixed seed."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)
