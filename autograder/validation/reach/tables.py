"""The committed tables: what each lab's notebook passes to its graded functions, `labN.json` beside this file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from autograder.course.labs import Lab
from autograder.validation.kill_matrix import solved_lab
from autograder.validation.reach.accepted import ACCEPTED
from autograder.validation.reach.gaps import Gap, gaps_of
from autograder.validation.reach.record import ArgumentRecord
from autograder.validation.reach.recorder import Table
from autograder.validation.reach.runs import BUDGET, lab_reach, probe_reach
from utils.checks.exercise import find, load

FOLDER = Path(__file__).parent


def path_of(lab: Lab) -> Path:
    """Return the file with the table of a lab."""
    return FOLDER / f"{lab.short}.json"


def renew(lab: Lab) -> Path:
    """Run the instructor notebook of a lab, and write its table."""
    path_of(lab).write_text(as_text(lab_reach(lab)), encoding="utf-8")
    return path_of(lab)


def as_text(exercises: dict[str, Table]) -> str:
    """Return a table as JSON, with one line for each argument."""
    lines = []
    for name, functions in exercises.items():
        inner = []
        for function, records in sorted(functions.items()):
            rows = [f"   {json.dumps(path)}: {json.dumps(records[path].to_json())}" for path in sorted(records)]
            inner.append(f"  {json.dumps(function)}: {{\n" + ",\n".join(rows) + "\n  }")
        lines.append(f" {json.dumps(name)}: {{\n" + ",\n".join(inner) + "\n }")
    return f'{{"budget": {json.dumps(BUDGET)}, "exercises": {{\n' + ",\n".join(lines) + "\n}}\n"


def read(lab: Lab) -> dict[str, Table]:
    """Return the committed table of a lab, by exercise; empty if there is none."""
    if not path_of(lab).exists():
        return {}
    found = json.loads(path_of(lab).read_text(encoding="utf-8"))["exercises"]
    return {name: {function: from_json(rows) for function, rows in table.items()} for name, table in found.items()}


def from_json(rows: dict[str, dict]) -> dict[str, ArgumentRecord]:
    """Return the records of one function."""
    return {path: ArgumentRecord.from_json(row) for path, row in rows.items()}


@dataclass(frozen=True)
class Comparison:
    """The reach of one exercise: what the lab passes, what the probe passes, and the gaps.

    Args:
        exercise: the name.
        lab: the committed table.
        probe: what the probe gives in every challenge.
        gaps: all of them, accepted or not.
    """

    exercise: str
    lab: Table
    probe: Table
    gaps: list[Gap]

    @property
    def open(self) -> list[Gap]:
        """The gaps without a reason in `ACCEPTED`."""
        return [gap for gap in self.gaps if gap.key not in ACCEPTED]

    @property
    def closed(self) -> list[str]:
        """The entries of `ACCEPTED` for this exercise that are no gap any more."""
        keys = {gap.key for gap in self.gaps}
        return [key for key in ACCEPTED if key.startswith(f"{self.exercise}: ") and key not in keys]

    @property
    def ok(self) -> bool:
        """Whether every gap has a reason, and every reason a gap."""
        return not self.open and not self.closed


def compare(lab: Lab, only: str | None = None) -> list[Comparison]:
    """Run the probes of a lab on its model answers, and compare with the committed table.

    Args:
        lab: the lab.
        only: the end of an exercise's name; all exercises without it.
    """
    table, namespace = read(lab), solved_lab(lab.short).namespace
    names = [entry.name for entry in load(lab.short) if not entry.manual and (not only or entry.name.endswith(only))]
    found = []
    for name in names:
        probe, here = probe_reach(find(name), namespace), table.get(name, {})
        found.append(Comparison(name, here, probe, gaps_of(name, here, probe)))
    return found
