"""From a repaired submission to the task of running it: the cells that run, and a challenge for each exercise."""

from __future__ import annotations

from nbformat import NotebookNode

from autograder.course.cells import exercise_of, role_of
from autograder.course.labs import Lab
from autograder.intake.repair import Submission
from autograder.running.challenge_keys import make_challenge
from autograder.running.run_types import Cell, Task, hash_of
from utils.checks.challenge import Challenge
from utils.checks.exercise import load

NOT_RUN = ("check", "illustration")  # roles of cells that grading leaves out


def runnable_cells(notebook: NotebookNode) -> list[Cell]:
    """Return the cells that grading executes: all code but checks and illustrations."""
    return [
        Cell(index, cell.source, role_of(cell), exercise_of(cell))
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and role_of(cell) not in NOT_RUN
    ]


def challenges_of(submission: Submission, secret: bytes, submission_hash: str) -> dict[str, Challenge]:
    """Return the challenge of each automatic exercise.

    Args:
        submission: the repaired submission.
        secret: the course's secret.
        submission_hash: the hash of the cells that run.
    """
    return {
        entry.name: make_challenge(secret, entry, submission.release, submission_hash)
        for entry in load(submission.lab.short)
        if not entry.manual
    }


def versions_of(lab: Lab) -> dict[str, int]:
    """Return the version of each exercise's probe; evidence of another version is stale."""
    return {exercise.name: exercise.evidence_version for exercise in load(lab.short)}


def make_task(submission: Submission, secret: bytes) -> Task:
    """Return what has to be run as plain data, for a worker that knows nothing of verdicts."""
    cells = runnable_cells(submission.notebook)
    code = hash_of(cells)
    keys = {name: c.key.hex() for name, c in challenges_of(submission, secret, code).items()}
    return Task(tuple(cells), keys, code)
