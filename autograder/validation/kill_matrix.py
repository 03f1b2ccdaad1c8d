"""The kill matrix: the grader must catch every known wrong answer and accept every right one.

The answers are our own, so they run in this process or in a pool of such processes, without the sandbox.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import resource
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

import psutil

from autograder.course.labs import Lab, find_lab
from autograder.course.solved import SolvedLab, answers_of
from autograder.exercises.kits import mutants
from autograder.exercises.kits.mutants import Mutant
from autograder.judging.evidence import MAX_JSON, MAX_TENSORS, BadEvidence, unpack
from autograder.judging.judge import judge
from autograder.running.limits import Limits
from autograder.validation.generic import generic_mutants, unused_equivalents
from autograder.validation.honesty import add_check, assess_honesty
from autograder.validation.matrix_row import MatrixRow
from utils.checks import public_verdict
from utils.checks.challenge import Challenge
from utils.checks.exercise import Exercise, find, run_probe
from utils.checks.judging import Verdict

CPU_LIMIT = 20.0  # seconds of one probe and one verdict; a changed loop may never end


@cache
def solved_lab(name: str) -> SolvedLab:
    """Return the solved lab of this name, made once in each process."""
    os.environ.setdefault("LAB_BUDGET", "ci")
    return SolvedLab(find_lab(name))


def namespace_of(solved: SolvedLab, mutant: Mutant) -> dict[str, object]:
    """Return the solved lab with a mutant's answer in place of the model's."""
    return solved.with_answer(mutant.exercise, mutant.answer(solved.answers[mutant.exercise]), mutant.setup)


def challenge_number(entry: Exercise, index: int) -> Challenge:
    """Return the challenge of this number, the same at every call."""
    return Challenge(entry.name, hashlib.sha256(f"validate {index}".encode()).digest())


def verdicts(entry: Exercise, namespace: dict[str, object], challenges: int, first: int = 0) -> Iterator[Verdict]:
    """Yield the hidden verdict on the answer in this namespace, for one challenge after another."""
    for index in range(first, first + challenges):
        challenge = challenge_number(entry, index)
        with limited():
            verdict = judge(entry, challenge, run_probe(entry, namespace, challenge))
        yield verdict


class Endless(KeyboardInterrupt):
    """Raised when an answer does not end. It is an interrupt, because evidence records every other exception."""


@contextlib.contextmanager
def limited(seconds: float | None = None) -> Iterator[None]:
    """Interrupt the block after `seconds` of processor time. Real time would depend on the load of the machine."""

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
class MatrixTask:
    """One answer and the challenges on which it is tried."""

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
) -> list[MatrixTask]:
    """Return the tasks of the kill matrix, exercise by exercise: model answer first, generic changes last.

    Args:
        lab: the lab whose exercises are validated.
        right_challenges: how many challenges each right answer gets.
        wrong_challenges: how many challenges each wrong answer gets.
        only: the end of an exercise's name; all exercises without it.
        generic: also plan generic changes, with one challenge each.
        sample: how many of each exercise's generic changes; all without it.
    """
    tasks = []
    by_hand = mutants.load(lab.short)
    for name, source in answers_of(lab).items():
        if only and not name.endswith(only):
            continue
        chosen = [Mutant(name, "model answer", True, source=source, kind="model")]
        chosen += [mutant for mutant in by_hand if mutant.exercise == name]
        tasks += [MatrixTask(lab.short, m, right_challenges if m.right else wrong_challenges) for m in chosen]
        if generic:
            tasks += [MatrixTask(lab.short, m, 1) for m in generic_mutants(name, source, sample)]
    return tasks


def run(tasks: Iterable[MatrixTask], jobs: int = 1) -> Iterator[MatrixRow]:
    """Yield a row for each task, in order, computed by `jobs` processes."""
    if jobs <= 1:
        yield from map(row_of, tasks)
        return
    # spawn: a forked child inherits torch's threads in a state in which they may never answer
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=prepare_worker) as pool:
        yield from pool.map(row_of, tasks, chunksize=4)


def prepare_worker() -> None:
    """Bound this worker's memory, and leave Ctrl-C to the parent process, so that no worker prints a traceback.

    Without a bound, an answer that joins two large batches to one matrix takes all memory of the machine.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    mapped = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 2 * Limits().memory_bytes, resource.RLIM_INFINITY))


def row_of(task: MatrixTask) -> MatrixRow:
    """Run and judge one answer on the challenges of a task."""
    mutant, entry = task.mutant, find(task.mutant.exercise)
    solved = solved_lab(task.lab)
    row = MatrixRow(
        mutant.exercise, mutant.name, mutant.right, task.challenges, mutant.kind,
        equivalent=mutant.equivalent, rate=mutant.rate, most_points=entry.points,
    )  # fmt: skip
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
        for index in range(task.first, task.first + task.challenges):
            # A submission runs in a process of its own: what an answer keeps must not reach the next challenge.
            for verdict in verdicts(entry, namespace_of(solved, mutant), 1, index):
                assess(row, mutant, entry, verdict)
    except Endless:
        count(row, ["does_not_end"])
        row.caught = row.challenges
        if mutant.kind == "generic":
            row.good = row.challenges
        else:
            row.misses.append("does not come to an end")
        return row
    if mutant.kind != "generic" and not mutant.right and row.caught < mutant.rate * row.challenges:
        row.misses.append(f"caught in {row.caught} of {row.challenges}, declared is a rate of {mutant.rate:g}")
    if not task.first:
        judge_in_public(row, entry, namespace_of(solved, mutant))
    if mutant.kind == "model" and not task.first:
        row.misses += evidence_misses(entry, namespace)
    assess_honesty(row)
    return row


def judge_in_public(row: MatrixRow, entry: Exercise, namespace: dict[str, object]) -> None:
    """Note in the row what the public check says of an answer, and what is wrong with that if the answer is right."""
    try:
        with limited():
            public = public_verdict(entry, namespace)
    except Endless:
        row.check_passes, row.check = False, ["does_not_end"]
        return
    add_check(row, public)
    if row.right and not row.check_passes:
        row.misses.append("the public check rejects it: " + ", ".join(f.code for f in public.findings))
    if row.kind == "model" and abs(public.max_points - entry.points) > 1e-9:
        row.notes.append(
            f"the parts of the public check add up to {public.max_points:g}, the registry says {entry.points:g}; "
            "students see no points there, so nothing is lost"
        )


def evidence_misses(entry: Exercise, namespace: dict[str, object]) -> list[str]:
    """Return why the grader would not accept the evidence of a model answer, a sentence each."""
    challenge = challenge_number(entry, 0)
    with limited():
        evidence = run_probe(entry, namespace, challenge)
    text, tensors = evidence.to_json(), evidence.to_safetensors()
    misses = [
        f"the probe's {what} have {size / 2**20:.1f} MiB; the limit is {limit // 2**20} MiB ({name} in "
        "autograder/judging/evidence.py). Keep fewer or smaller results"
        for what, size, limit, name in (
            ("tensors", len(tensors), MAX_TENSORS, "MAX_TENSORS"),
            ("values and texts", len(text), MAX_JSON, "MAX_JSON"),
        )
        if size > limit
    ]
    if not misses:
        try:
            unpack(entry, text, tensors)
        except BadEvidence as error:
            misses.append(f"the grader would not accept the probe's evidence: {error}")
    return misses


def count(row: MatrixRow, codes: Iterable[str]) -> None:
    """Count the findings of one challenge."""
    for code in codes:
        row.findings[code] = row.findings.get(code, 0) + 1


def assess(row: MatrixRow, mutant: Mutant, entry: Exercise, verdict: Verdict) -> None:
    """Note in the row whether the grader was right about this answer on one challenge."""
    codes = [finding.code for finding in verdict.findings]
    count(row, codes)
    row.messages = {finding.code: finding.message for finding in verdict.findings} | row.messages
    row.false_alarm = max(row.false_alarm, verdict.false_alarm)
    caught = verdict.points < entry.points
    row.caught += caught
    points = f"{verdict.points:g}"
    row.points[points] = row.points.get(points, 0) + 1
    if abs(verdict.max_points - entry.points) > 1e-9:
        row.misses.append(f"the verdict's parts add up to {verdict.max_points:g}, the registry says {entry.points:g}")
    elif "needs_a_person" in codes:
        row.misses.append(f"the grader's own code failed: {'; '.join(verdict.faults)}")
    elif mutant.right and (caught or codes):
        row.misses.append("rejected: " + ", ".join(f"{f.code} ({f.message})" for f in verdict.findings))
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


def stale_rows(lab: Lab, only: str | None = None) -> Iterator[MatrixRow]:
    """Yield a miss for each entry of the table of equivalents that no change makes any more."""
    for name, source in answers_of(lab).items():
        if not only or name.endswith(only):
            for change in unused_equivalents(name, source):
                misses = ["listed as equivalent, but no change makes it"]
                yield MatrixRow(name, change, False, 0, "generic", misses=misses)


def chance_of_refusal(rows: Iterable[MatrixRow]) -> dict[str, float]:
    """Return, by exercise, a bound on the probability of rejecting a right answer: the sum of its tests' levels."""
    chances: dict[str, float] = {}
    for row in rows:
        if row.right:
            chances[row.exercise] = max(chances.get(row.exercise, 0.0), row.false_alarm)
    return chances
