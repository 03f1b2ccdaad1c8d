"""Run an instructor notebook, and the probe of an exercise, with the graded names recorded."""

from __future__ import annotations

import os
from collections.abc import Iterable
from unittest.mock import patch

import torch

from autograder.course.labs import Lab
from autograder.course.solved import SolvedLab
from autograder.validation.kill_matrix import challenge_number
from autograder.validation.reach.record import merged
from autograder.validation.reach.recorder import Recorder, Table, recording
from utils.checks.challenge import Challenge
from utils.checks.exercise import Exercise, load, run_probe

BUDGET = "ci"
CHALLENGES = 3  # besides the public one; a probe must reach as far in each of them


class RecordedLab(SolvedLab):
    """A lab whose cells are all executed, while the calls of its graded names are recorded.

    Attributes:
        recorder: has the calls of all exercises.
    """

    def __init__(self, lab: Lab):
        self.recorder = Recorder()
        self.names = tuple(name for entry in load(lab.short) for name in entry.names)
        try:
            super().__init__(lab, all_cells=True)
        finally:
            self.recorder.unwrap()

    def execute(self, role: str, source: str, all_cells: bool) -> None:
        """Execute one cell, and record the graded names that it defines from here on."""
        super().execute(role, source, all_cells)
        self.recorder.wrap(self.namespace, self.names)


def lab_reach(lab: Lab) -> dict[str, Table]:
    """Run an instructor notebook in this process, and return what its graded names were given, by exercise."""
    with patch.dict(os.environ, {"LAB_BUDGET": BUDGET, "MPLBACKEND": "agg"}), torch.random.fork_rng(devices=[]):
        table = RecordedLab(lab).recorder.table
    return {entry.name: of_exercise(table, entry) for entry in load(lab.short) if not entry.manual}


def of_exercise(table: Table, entry: Exercise) -> Table:
    """Return the functions of one exercise."""
    return {name: records for name, records in table.items() if name.partition(".")[0] in entry.names}


def probe_reach(entry: Exercise, namespace: dict[str, object], challenges: int = CHALLENGES) -> Table:
    """Run the probe of an exercise, and return what it gave to the answer in every challenge.

    Args:
        entry: an automatic exercise.
        namespace: the solved lab.
        challenges: how many, besides the public one.
    """
    tries = [Challenge.public(entry.name), *(challenge_number(entry, index) for index in range(challenges))]
    tables = [one_probe(entry, namespace, challenge) for challenge in tries]
    return {name: merged([table[name] for table in tables]) for name in tables[0] if in_all(name, tables)}


def in_all(name: str, tables: Iterable[Table]) -> bool:
    """Return whether every table has this function."""
    return all(name in table for table in tables)


def one_probe(entry: Exercise, namespace: dict[str, object], challenge: Challenge) -> Table:
    """Return what the probe gives to the answer in one challenge."""
    names = dict(namespace)
    with recording(names, entry.names) as recorder:
        run_probe(entry, names, challenge)
    return of_exercise(recorder.table, entry)
