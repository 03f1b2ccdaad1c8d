"""The grader as a classifier of programs: every known wrong answer is caught, every right one accepted.

Answers are run in this process, or in a pool of such processes: they are ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache

from autograder.course.labs import Lab, find_lab
from autograder.course.solved import SolvedLab, answers_of
from autograder.exercises.kits import mutants
from autograder.exercises.kits.mutants import Mutant
from autograder.judging.judge import judge
from autograder.validation.generic import generic_mutants, stale
from utils.checks import public_verdict
from utils.checks.challenge import Challenge
from utils.checks.exercise import Exercise, find, run_probe
from utils.checks.judging import Verdict

CPU_LIMIT = 20.0  # seconds of one probe and one verdict; a changed loop may never end


@dataclass
class Row:
    """One mutant's line in the kill matrix."""

    exercise: str
    name: str
    right: bool
    challenges: int
    kind: str = ""  # "model", "generic", or by hand
    good: int = 0  # challenges on which the grader was right
    caught: int = 0  # challenges on which points were taken
    findings: dict[str, int] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)  # of each finding, the first
    misses: list[str] = field(default_factory=list)
    false_alarm: float = 0.0
    equivalent: str = ""

    @property
    def ok(self) -> bool:
        return not self.misses

    def add(self, other: Row) -> None:
        """Take in what further challenges brought."""
        self.challenges += other.challenges
        self.good += other.good
        self.caught += other.caught
        for code, count in other.findings.items():
            self.findings[code] = self.findings.get(code, 0) + count
        self.messages = other.messages | self.messages
        self.misses += [miss for miss in other.misses if miss not in self.misses]
        self.false_alarm = max(self.false_alarm, other.false_alarm)


@cache
def solved_lab(name: str) -> SolvedLab:
    """Return the solved lab of this name, made once in each process."""
    os.environ.setdefault("LAB_BUDGET", "ci")
    return SolvedLab(find_lab(name))


def namespace_of(solved: SolvedLab, mutant: Mutant) -> dict[str, object]:
    """Return the solved lab with a mutant's answer in place of the model's."""
    return solved.with_answer(mutant.exercise, mutant.answer(solved.answers[mutant.exercise]), mutant.setup)


def challenge_number(entry: Exercise, index: int) -> Challenge:
    return Challenge(entry.name, hashlib.sha256(f"validate {index}".encode()).digest())


def verdicts(entry: Exercise, namespace: dict[str, object], challenges: int, first: int = 0) -> Iterator[Verdict]:
    for index in range(first, first + challenges):
        challenge = challenge_number(entry, index)
        with limited():
            verdict = judge(entry, challenge, run_probe(entry, namespace, challenge))
        yield verdict


class Endless(KeyboardInterrupt):
    """An answer that does not come to an end. Evidence lets an interrupt through, and only that."""


@contextlib.contextmanager
def limited(seconds: float | None = None) -> Iterator[None]:
    """Interrupt after so much time of this process: real time would depend on who else uses the machine."""

    def stop(*_):
        raise Endless

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds or CPU_LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@dataclass(frozen=True)
class Task:
    """One mutant on some challenges."""

    lab: str
    mutant: Mutant
    challenges: int
    first: int = 0


def plan(
    lab: Lab,
    right_challenges: int = 20,
    wrong_challenges: int = 3,
    only: str | None = None,
    generic: bool = False,
    sample: int | None = None,
) -> list[Task]:
    """The kill matrix as a list of tasks, exercise by exercise: the model answer first, the program's changes last.

    `sample` takes so many of each exercise's generic changes. They get one challenge each.
    """
    tasks = []
    by_hand = mutants.load(lab.short)
    for name, source in answers_of(lab).items():
        if only and not name.endswith(only):
            continue
        chosen = [Mutant(name, "model answer", True, source=source, kind="model")]
        chosen += [mutant for mutant in by_hand if mutant.exercise == name]
        tasks += [Task(lab.short, m, right_challenges if m.right else wrong_challenges) for m in chosen]
        if generic:
            tasks += [Task(lab.short, m, 1) for m in generic_mutants(name, source, sample)]
    return tasks


def validate(lab: Lab, right_challenges: int = 20, wrong_challenges: int = 3, only: str | None = None) -> Iterator[Row]:
    """The rows of the kill matrix, without generic changes."""
    yield from run(plan(lab, right_challenges, wrong_challenges, only))


def run(tasks: Iterable[Task], jobs: int = 1) -> Iterator[Row]:
    """A row for each task, in order, by `jobs` processes."""
    if jobs <= 1:
        yield from map(row_of, tasks)
        return
    # spawn: a forked child inherits torch's threads in a state in which they may never answer
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(row_of, tasks, chunksize=4)


def row_of(task: Task) -> Row:
    """Run and judge one mutant."""
    mutant, entry = task.mutant, find(task.mutant.exercise)
    solved = solved_lab(task.lab)
    row = Row(mutant.exercise, mutant.name, mutant.right, task.challenges, mutant.kind, equivalent=mutant.equivalent)
    try:
        with limited():
            namespace = namespace_of(solved, mutant)
    except (Exception, Endless) as error:
        if mutant.kind == "generic":
            count(row, ["does_not_run"])
            row.good = row.caught = row.challenges
        else:
            row.misses.append(f"its source does not run: {type(error).__name__}: {error}")
        return row
    try:
        for verdict in verdicts(entry, namespace, task.challenges, task.first):
            weigh(row, mutant, entry, verdict)
    except Endless:
        count(row, ["does_not_end"])
        row.caught = row.challenges
        if mutant.kind == "generic":
            row.good = row.challenges
        else:
            row.misses.append("does not come to an end")
    if mutant.kind != "generic" and not mutant.right and row.caught < mutant.rate * row.challenges:
        row.misses.append(f"caught in {row.caught} of {row.challenges}, declared is a rate of {mutant.rate:g}")
    if mutant.right and not task.first:
        public = public_verdict(entry, namespace)
        if public.points < public.max_points:
            row.misses.append("the public check refuses it: " + ", ".join(f.code for f in public.findings))
    return row


def count(row: Row, codes: Iterable[str]) -> None:
    for code in codes:
        row.findings[code] = row.findings.get(code, 0) + 1


def weigh(row: Row, mutant: Mutant, entry: Exercise, verdict: Verdict) -> None:
    """Was the grader right about this answer on this challenge?"""
    codes = [finding.code for finding in verdict.findings]
    count(row, codes)
    row.messages = {finding.code: finding.message for finding in verdict.findings} | row.messages
    row.false_alarm = max(row.false_alarm, verdict.false_alarm)
    caught = verdict.points < entry.points
    row.caught += caught
    if abs(verdict.max_points - entry.points) > 1e-9:
        row.misses.append(f"the verdict's parts add up to {verdict.max_points:g}, the registry says {entry.points:g}")
    elif "needs_a_person" in codes:
        row.misses.append(f"the grader's own code failed: {'; '.join(verdict.faults)}")
    elif mutant.right and (caught or codes):
        row.misses.append("refused: " + ", ".join(f"{f.code} ({f.message})" for f in verdict.findings))
        row.misses += [f"the probe stopped: {fault}" for fault in verdict.faults]
    elif mutant.kind == "generic" and mutant.equivalent and caught:
        row.misses.append(f"listed as equivalent, but {', '.join(codes)}")
    elif mutant.kind == "generic" and not mutant.equivalent and not caught:
        row.misses.append("survives: make the verdict see it, or list it in autograder/validation/equivalent.py")
    elif not mutant.right and not mutant.kind and not caught:
        if mutant.rate == 1:
            row.misses.append("not caught")
    elif not mutant.right and not mutant.kind and not set(codes) & set(mutant.finds):
        row.misses.append(f"found {', '.join(codes) or 'nothing'} instead of {' or '.join(mutant.finds)}")
    else:
        row.good += 1


def stale_rows(lab: Lab, only: str | None = None) -> Iterator[Row]:
    """A miss for each entry of the table of equivalents that no change makes any more."""
    for name, source in answers_of(lab).items():
        if not only or name.endswith(only):
            for change in stale(name, source):
                yield Row(name, change, False, 0, "generic", misses=["listed as equivalent, but no change makes it"])


def chance_of_refusal(rows: Iterable[Row]) -> dict[str, float]:
    """By exercise, the most that its statistical tests risk of refusing a right answer: the sum of their levels."""
    chances: dict[str, float] = {}
    for row in rows:
        if row.right:
            chances[row.exercise] = max(chances.get(row.exercise, 0.0), row.false_alarm)
    return chances


def print_matrix(rows: Iterable[Row]) -> bool:
    """Print as rows come; returns whether all are ok. Of the generic changes only those that stand out get a line."""
    exercise, total, bad = None, 0, 0
    seen: list[Row] = []
    for row in rows:
        if row.exercise != exercise:
            print_summary(seen, exercise)
            exercise = row.exercise
            print(f"\n{exercise}")
        seen.append(row)
        total += 1
        bad += not row.ok
        if row.kind == "generic" and row.ok and not row.equivalent and row.caught == row.challenges:
            continue
        mark, kind = "✓" if row.ok else "✗", "right" if row.right else row.kind or "wrong"
        found = ", ".join(sorted(row.findings, key=row.findings.get, reverse=True)) or "accepted"
        print(f"  {mark} {kind:<7} {row.name:<34} {row.good}/{row.challenges}  {found}{remark(row)}", flush=True)
        for miss in dict.fromkeys(row.misses):
            print(f"          {miss}")
    print_summary(seen, exercise)
    print(f"\n{total} answers, {bad} misses")
    return bad == 0 and total > 0


def remark(row: Row) -> str:
    if row.equivalent:
        return f"  (equivalent: {row.equivalent})"
    if not row.right and row.challenges and 0 < row.caught < row.challenges:
        return f"  (caught in {row.caught / row.challenges:.1%} of submissions)"
    return ""


def print_summary(rows: list[Row], exercise: str | None) -> None:
    mine = [row for row in rows if row.exercise == exercise]
    if not mine:
        return
    generic = [row for row in mine if row.kind == "generic" and row.challenges]
    if generic:
        caught, same = sum(row.caught > 0 for row in generic), sum(bool(row.equivalent) for row in generic)
        print(f"  {len(generic)} generic changes: {caught} caught, {same} equivalent")
    chance = chance_of_refusal(mine).get(exercise, 0.0)
    print(
        f"  a right answer is refused with a chance of at most {chance:.0e}"
        if chance
        else "  no test here has a chance"
    )
