"""Run the kill matrix of a lab as `autograder validate` asks for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from autograder.course.labs import Lab
from autograder.errors import NoSuchExercise
from autograder.exercises.kits import mutants
from autograder.running.bubblewrap import bubblewrap
from autograder.validation.honesty import with_unhelpful_findings
from autograder.validation.kill_matrix import MatrixRow, plan, run, stale_rows
from autograder.validation.long_run import long_run
from autograder.validation.sandboxed import sandbox_rows
from utils.checks.exercise import load


@dataclass(frozen=True)
class MatrixRun:
    """What to try, and how often. None means the default."""

    only: str | None = None  # the end of an exercise's name
    right: int | None = None  # challenges for each right answer
    wrong: int | None = None
    generic: bool = False  # also changes made by a program
    sample: int | None = None  # so many of them for each exercise
    jobs: int | None = None
    full: bool = False  # the long run, which continues where it stopped
    minutes: float | None = None  # of the long run
    sandbox: bool = True  # also run the model answers in the sandbox


def require_exercise(labs: list[Lab], only: str) -> None:
    """Check that an automatic exercise of these labs has a name that ends with `only`.

    Raises:
        NoSuchExercise: none has.
    """
    names = [entry.name for lab in labs for entry in load(lab.short) if not entry.manual]
    if not any(name.endswith(only) for name in names):
        raise NoSuchExercise(f"there is no exercise '{only}'; there are {', '.join(names)}")


def run_matrix(lab: Lab, options: MatrixRun) -> Iterator[MatrixRow]:
    """Yield the rows of a lab's kill matrix, with a miss for each gap: an exercise without mutants, say.

    Raises:
        SandboxError: bubblewrap is installed, but the sandbox does not start.
    """
    sandboxed: dict[str, MatrixRow] = {}
    if options.sandbox and bubblewrap() is None:
        print("bubblewrap is not installed, so the model answers were not run in the sandbox", file=sys.stderr)
    elif options.sandbox:
        sandboxed = sandbox_rows(lab, options.only)
    if options.full:
        rows: Iterable[MatrixRow] = long_run(lab, options.right, options.wrong, options.jobs, options.minutes)
    else:
        right, wrong = options.right or 20, options.wrong or 3
        tasks = plan(lab, right, wrong, options.only, options.generic, options.sample)
        jobs = options.jobs or ((os.cpu_count() or 1) if options.generic else 1)
        rows = with_unhelpful_findings(run(tasks, jobs))
    for row in rows:
        yield row
        if row.kind == "model" and row.exercise in sandboxed:
            yield sandboxed[row.exercise]
    if options.generic and not options.full:
        yield from stale_rows(lab, options.only)
    yield from gaps(lab, options.only)


def gaps(lab: Lab, only: str | None = None) -> Iterator[MatrixRow]:
    """Yield a miss for each exercise without wrong answers, and for each unknown exercise that mutants name."""
    known = [entry.name for entry in load(lab.short) if not entry.manual]
    found = mutants.load(lab.short)
    tried = {mutant.exercise for mutant in found if not mutant.right}
    for name in known:
        if name not in tried and (not only or name.endswith(only)):
            miss = (
                f"there is no wrong answer to {name}, so nothing shows that its verdict catches mistakes: add mutants"
            )
            yield MatrixRow(name, "no wrong answers", False, 0, "gap", misses=[miss])
    for name in dict.fromkeys(mutant.exercise for mutant in found):
        if name not in known:
            miss = f"its mutants name an exercise that does not exist; there are {', '.join(known)}"
            yield MatrixRow(name, "unknown exercise", False, 0, "gap", misses=[miss])
