"""Run the model answers of a lab once as a submission: repaired, in the real sandbox, with its limits."""

from __future__ import annotations

import dataclasses
import re

from autograder.course.labs import Lab
from autograder.course.source import read_source
from autograder.intake.repair import repair
from autograder.judging.evidence import MAX_TENSORS
from autograder.judging.grade import errors_of_answers, in_words, judge_exercise
from autograder.running.limits import MIB, Limits
from autograder.running.passes import ESSENTIAL, execute_task
from autograder.running.sandbox import Sandbox
from autograder.running.tasks import challenges_of, make_task
from autograder.validation.kill_matrix import MatrixRow
from utils.checks.exercise import find, load

SECRET = b"validate"


def sandbox_rows(lab: Lab, only: str | None = None) -> dict[str, MatrixRow]:
    """Grade the model answers as the answers of a student.

    Only set-up, definitions, answers and tests run, because these cells run in every pass of the grader.

    Returns:
        A row for each automatic exercise, with a miss for everything that costs points or has a finding.

    Raises:
        SandboxError: the sandbox does not start.
    """
    submission = repair(read_source(lab), lab)
    automatic = [entry.name for entry in load(lab.short) if not entry.manual]
    chosen = [find(name) for name in automatic if not only or name.endswith(only)]
    names = {entry.name for entry in chosen}
    task = make_task(submission, SECRET)
    cells = [cell for cell in task.cells if cell.role in ESSENTIAL and (cell.role != "test" or cell.exercise in names)]
    with Sandbox(Limits()) as sandbox:
        run = execute_task(dataclasses.replace(task, cells=cells), sandbox)
    challenges = challenges_of(submission, SECRET, run.submission_hash)
    problems = [*submission.repairs, *run.problems, *in_words(errors_of_answers(submission, run))]
    rows = {}
    for entry in chosen:
        verdict = judge_exercise(entry.name, challenges[entry.name], run)
        misses = [f"in the sandbox: {line}" for line in problems if concerns(line, entry.name, automatic)]
        misses += [f"in the sandbox: {finding.code} ({finding.message})" for finding in verdict.findings]
        if any("wrote more than the grader accepts" in miss for miss in misses):
            misses.append(
                f"the limits are {MAX_TENSORS // MIB} MiB of evidence for an exercise and "
                f"{Limits().output_bytes // MIB} MiB of outputs for a cell"
            )
        if verdict.points < entry.points and not misses:
            misses.append(f"in the sandbox it gets {verdict.points:g} of {entry.points:g} points")
        rows[entry.name] = MatrixRow(
            entry.name, "model answer, sandboxed", True, 1, "sandbox", int(not misses), misses=misses
        )
    return rows


def concerns(line: str, name: str, names: list[str]) -> bool:
    """Return whether a sentence names this exercise, or none of these exercises."""
    named = [one for one in names if re.search(rf"\b{one.replace('.', '[._]')}(_answer)?\b", line)]
    return name in named or not named
