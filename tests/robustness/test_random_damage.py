"""Thousands of random damages of a right submission: no traceback, no hang, no honest point lost without a sentence.

All are read, repaired and brought to where nbgrader runs them; every hundredth is also graded in the sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import jsonschema
import nbformat
import pytest
from nbgrader.nbgraderformat import common
from nbgrader.preprocessors import CheckCellMetadata

from autograder.course.cells import exercise_of, role_of
from autograder.errors import NotANotebook
from autograder.gradebook.nbgrader_steps import Repair
from autograder.intake.bounded_reading import Reader
from autograder.intake.cell_matching import text_of
from autograder.intake.repair import Submission
from autograder.judging.grade import judge_run, run_submission
from tests.intake.damages import FULL, LAB
from tests.robustness.random_damage import damaged, solved_text
from utils.checks.exercise import load

CHUNK = 500  # damages in a test; the slow tests have 20 of these
SECRET = b"a secret of the tests"
ANSWERS = {
    cell["metadata"]["nbgrader"]["grade_id"]: cell["source"]
    for cell in solved_text()["cells"]
    if role_of(nbformat.from_dict(cell)) == "answer"
}


@pytest.fixture(autouse=True)
def schemas_are_known(monkeypatch):
    """Let nbgrader take its own schema for a valid one: checking it at each cell takes a third of the time."""

    def validate(instance, schema):
        jsonschema.validators.validator_for(schema)(schema).validate(instance)

    monkeypatch.setattr(common, "jsonschema", SimpleNamespace(validate=validate))


def sources(data: bytes) -> Iterator[str]:
    """Yield the sources in a damaged file, as far as it is JSON."""
    try:
        cells = json.loads(data)["cells"]
    except (ValueError, TypeError, KeyError):
        return
    for cell in cells if isinstance(cells, list) else []:
        source = cell.get("source") if isinstance(cell, dict) else None
        yield "".join(source) if isinstance(source, list) and all(isinstance(s, str) for s in source) else str(source)


def check_repaired(submission: Submission, data: bytes) -> None:
    """Check that a repaired notebook is complete, and that each answer that was lost is named."""
    cells = submission.notebook.cells
    tests = [exercise_of(cell) for cell in cells if role_of(cell) == "test"]
    assert sorted(tests) == sorted(entry.name for entry in load("lab4") if not entry.manual)
    said, there = " ".join(submission.repairs), {text_of(source) for source in sources(data)}
    runs = {text_of(cell.source) for cell in cells if cell.cell_type == "code"}  # an answer counts wherever it runs
    for grade_id, source in ANSWERS.items():
        if text_of(source) in there - runs:
            assert grade_id in said, f"{grade_id} is in the file, is not graded, and nothing is said about it"


def check_where_nbgrader_runs(reader: Reader, path) -> None:
    """Check that nbgrader's own steps accept the notebook that is staged for it."""
    staged = nbformat.reads(reader.tidy(path), as_version=4)
    resources = {"nbgrader": {"assignment": LAB.name}}
    repaired, resources = Repair().preprocess(staged, resources)
    CheckCellMetadata().preprocess(repaired, resources)
    nbformat.validate(repaired)


def read_all(seeds: range, folder, sandbox=None, every=100) -> int:
    """Read and repair the damages of these seeds, grade some, and return how many were rejected."""
    rejected = 0
    path = folder / "submission.ipynb"
    with Reader() as reader:
        for seed in seeds:
            steps, data = damaged(seed)
            path.write_bytes(data)
            try:
                submission = reader.submission(path, LAB)
            except NotANotebook as error:
                rejected += 1
                assert "could not be read" not in str(error), (seed, steps, error)  # a defect of ours
                assert steps[0] in ("flip", "delete", "insert", "repeat", "truncate", "encode"), (seed, steps, error)
                continue
            try:
                check_repaired(submission, data)
                check_where_nbgrader_runs(reader, path)
                if sandbox is not None and seed % every == 0:
                    check_grade(submission, sandbox)
            except Exception as error:
                raise AssertionError(f"seed {seed}, {steps}: {type(error).__name__}: {error}") from error
    return rejected


def check_grade(submission: Submission, sandbox) -> None:
    """Check that each point that is lost has a finding."""
    grade = judge_run(submission, run_submission(submission, sandbox, SECRET), SECRET)
    assert grade.max_points == FULL and not grade.faults
    for name, verdict in grade.verdicts.items():
        assert verdict.points == verdict.max_points or verdict.findings, name


def test_some_random_damages(tmp_path):
    assert 0 < read_all(range(24), tmp_path) < 12


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 10_000, CHUNK))
def test_ten_thousand_random_damages(start, tmp_path, sandbox):
    """By chunks, so that a run that was interrupted can go on with `-k`."""
    read_all(range(start, start + CHUNK), tmp_path, sandbox)
