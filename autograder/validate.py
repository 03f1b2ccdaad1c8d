"""The grader as a classifier of programs: every known wrong answer is caught, every right one accepted.

Answers are run in this process: they are ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import linecache
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from autograder import mutants
from autograder.author import Lab, exercise_of, read_source, role_of
from autograder.verdicts import judge
from utils.checks import public_verdict
from utils.checks.challenge import Challenge
from utils.checks.exercise import Exercise, find, run_probe
from utils.checks.judging import Verdict


@dataclass
class Row:
    """One mutant's line in the kill matrix."""

    exercise: str
    name: str
    right: bool
    challenges: int
    good: int = 0  # challenges on which the grader was right
    findings: dict[str, int] = field(default_factory=dict)
    misses: list[str] = field(default_factory=list)
    false_alarm: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.misses


class Bench:
    """The namespace of a solved lab, in which one answer at a time is replaced."""

    def __init__(self, lab: Lab):
        os.environ.setdefault("LAB_BUDGET", "ci")
        self.answers: dict[str, str] = {}
        self.definitions: list[str] = []
        for cell in read_source(lab).cells:
            role = role_of(cell)
            if role in ("setup", "definitions"):
                self.definitions.append(cell.source)
            elif role == "answer":
                name = exercise_of(cell)
                self.answers[name] = self.answers.get(name, "") + cell.source + "\n"
        self.base: dict[str, object] = {"__name__": "__main__"}
        with contextlib.redirect_stdout(io.StringIO()):
            for source in (*self.definitions, *self.answers.values()):
                execute(source, self.base)

    def namespace(self, mutant: mutants.Mutant) -> dict[str, object]:
        """The solved lab with this answer in place of the model's."""
        names = dict(self.base)
        for graded in find(mutant.exercise).names:
            names.pop(graded, None)  # an answer that forgets to define something must not inherit it
        with contextlib.redirect_stdout(io.StringIO()):
            if mutant.setup:
                execute(mutant.setup, names)
            execute(mutant.answer(self.answers[mutant.exercise]), names)
        return names


def execute(source: str, namespace: dict[str, object]) -> None:
    """exec with source lines kept, so that a student's line can be quoted and `inspect.getsource` works."""
    name = f"<ipython-input-{hashlib.sha256(source.encode()).hexdigest()[:12]}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)


def challenge_number(entry: Exercise, index: int) -> Challenge:
    return Challenge(entry.name, hashlib.sha256(f"validate {index}".encode()).digest())


def verdicts(entry: Exercise, namespace: dict[str, object], challenges: int) -> Iterator[Verdict]:
    for index in range(challenges):
        challenge = challenge_number(entry, index)
        yield judge(entry, challenge, run_probe(entry, namespace, challenge))


def validate(lab: Lab, right_challenges: int = 20, wrong_challenges: int = 3, only: str | None = None) -> Iterator[Row]:
    """The rows of the kill matrix. Model answers come first, as right answers named `model answer`."""
    bench = Bench(lab)
    model = [mutants.Mutant(name, "model answer", True, source=source) for name, source in bench.answers.items()]
    for mutant in model + mutants.load(lab.short):
        if only and not mutant.exercise.endswith(only):
            continue
        entry = find(mutant.exercise)
        row = Row(mutant.exercise, mutant.name, mutant.right, right_challenges if mutant.right else wrong_challenges)
        try:
            namespace = bench.namespace(mutant)
        except Exception as error:
            row.misses.append(f"its source does not run: {type(error).__name__}: {error}")
            yield row
            continue
        for verdict in verdicts(entry, namespace, row.challenges):
            codes = [finding.code for finding in verdict.findings]
            for code in codes:
                row.findings[code] = row.findings.get(code, 0) + 1
            row.false_alarm = max(row.false_alarm, verdict.false_alarm)
            if abs(verdict.max_points - entry.points) > 1e-9:
                row.misses.append(
                    f"the verdict's parts add up to {verdict.max_points:g}, the registry says {entry.points:g}"
                )
            elif mutant.right and (verdict.points < entry.points or codes):
                row.misses.append("refused: " + ", ".join(f"{f.code} ({f.message})" for f in verdict.findings))
            elif not mutant.right and verdict.points >= entry.points:
                row.misses.append("not caught")
            elif not mutant.right and not set(codes) & set(mutant.finds):
                row.misses.append(f"found {', '.join(codes) or 'nothing'} instead of {' or '.join(mutant.finds)}")
            else:
                row.good += 1
        if mutant.right:
            public = public_verdict(entry, namespace)
            if public.points < public.max_points:
                row.misses.append("the public check refuses it: " + ", ".join(f.code for f in public.findings))
        yield row


def print_matrix(rows: Iterator[Row]) -> bool:
    """Print as rows come; returns whether all are ok."""
    exercise, total, bad = None, 0, 0
    for row in rows:
        if row.exercise != exercise:
            exercise = row.exercise
            print(f"\n{exercise}")
        total += 1
        bad += not row.ok
        mark, kind = "✓" if row.ok else "✗", "right" if row.right else "wrong"
        seen = ", ".join(sorted(row.findings, key=row.findings.get, reverse=True)) or "accepted"
        level = f"  (may refuse with p <= {row.false_alarm:.0e})" if row.right and row.false_alarm else ""
        print(f"  {mark} {kind}  {row.name:<34} {row.good}/{row.challenges}  {seen}{level}", flush=True)
        for miss in dict.fromkeys(row.misses):
            print(f"        {miss}")
    print(f"\n{total} answers, {bad} misses")
    return bad == 0 and total > 0
