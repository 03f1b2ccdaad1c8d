"""`autograder validate --full`: thousands of challenges, in parallel, in small pieces that survive an interruption.

Each finished piece is a line of `build/validate/LAB.jsonl`, with the fingerprint of the code that made it. A second
start runs only pieces that are missing or whose exercise has changed; in a fresh clone it continues from the committed
report.
Pieces go round through all answers, so that an interrupted run has tried the same share of each.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import multiprocessing
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from autograder import ROOT
from autograder.course.labs import Lab
from autograder.validation.fingerprint import fingerprints
from autograder.validation.honesty import assess_honesty, with_unhelpful_findings
from autograder.validation.kill_matrix import MatrixRow, MatrixTask, plan, prepare_worker, row_of, run, stale_rows
from autograder.validation.report import REPORTS, row_key, write_report

RIGHT, STATISTICAL, WRONG, GENERIC = 1_000, 10_000, 50, 10
ROUNDS = 20

Parts = dict[int, tuple[MatrixRow, float]]  # of one answer: first challenge -> row of the piece, processor seconds


def long_run(
    lab: Lab, right: int | None, wrong: int | None, jobs: int | None, minutes: float | None
) -> list[MatrixRow]:
    """Run the missing pieces, write the report, and return its rows.

    Args:
        lab: the lab whose exercises are validated.
        right: challenges for each right answer; without it 1,000, and 10,000 if the verdict has statistical tests.
        wrong: challenges for each wrong answer; 50 without it.
        jobs: processes; one per core without it.
        minutes: start no further piece after so many minutes.
    """
    jobs = jobs or os.cpu_count() or 1
    started = time.monotonic()
    tasks = targets(lab, right, wrong)
    journal = ROOT / "build" / "validate" / f"{lab.short}.jsonl"
    current = fingerprints(lab)
    done = merge(read_journal(journal, current), read_report(REPORTS / f"{lab.short}.json", current))
    missing = [piece for piece in pieces(tasks) if not is_done(piece, done)]
    deadline = None if minutes is None else started + 60 * minutes
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.open("a", encoding="utf-8") as lines:
        for piece, row, seconds in work(missing, jobs, deadline):
            append(lines, current[piece.mutant.exercise], answer_key(piece), piece.first, row, seconds)
            done.setdefault(answer_key(piece), {})[piece.first] = (row, seconds)
    results = sum_up(tasks, done)
    rows = [*with_unhelpful_findings(row for row, _ in results.values()), *stale_rows(lab)]
    resume = {
        row_key(row): {"answer": answer, "seconds": round(seconds, 2)} for answer, (row, seconds) in results.items()
    }
    write_report(REPORTS, lab.short, rows, facts(tasks, results, jobs, right) | {"fingerprints": current}, resume)
    return rows


def append(lines: TextIO, code: str, answer: str, first: int, row: MatrixRow, seconds: float) -> None:
    """Append a piece to the journal."""
    record = {"fingerprint": code, "answer": answer, "first": first, "seconds": seconds, "row": dataclasses.asdict(row)}
    lines.write(json.dumps(record) + "\n")
    lines.flush()


def targets(lab: Lab, right: int | None, wrong: int | None) -> list[MatrixTask]:
    """Return a task for each answer, with the planned number of challenges."""
    tasks = plan(lab, 1, wrong or WRONG, generic=True)
    chance = {row.exercise for row in run(t for t in tasks if t.mutant.kind == "model") if row.false_alarm}
    counts = []
    for task in tasks:
        wished = GENERIC if task.mutant.kind == "generic" else wrong or WRONG
        if task.mutant.right:
            wished = right or (STATISTICAL if task.mutant.exercise in chance else RIGHT)
        counts.append(dataclasses.replace(task, challenges=wished))
    return counts


def pieces(tasks: list[MatrixTask]) -> list[MatrixTask]:
    """Cut tasks into pieces: first one challenge of each answer, then a twentieth of each one's challenges, and so on.

    An answer with more than 1,000 challenges has pieces as large as one with 1,000, and takes part in later rounds.
    """
    rounds: defaultdict[int, list[MatrixTask]] = defaultdict(list)
    for task in tasks:
        size = math.ceil(min(task.challenges, RIGHT) / ROUNDS)
        starts = [0, *range(1, task.challenges, size)]
        for number, (first, end) in enumerate(itertools.pairwise([*starts, task.challenges])):
            rounds[number].append(dataclasses.replace(task, first=first, challenges=end - first))
    return [piece for _, pieces_of_round in sorted(rounds.items()) for piece in pieces_of_round]


def answer_key(task: MatrixTask) -> str:
    """Return a key that changes if the answer or the wanted findings change."""
    mutant = task.mutant
    source = hashlib.sha256(repr((mutant.source, mutant.edits, mutant.setup, mutant.finds)).encode()).hexdigest()[:12]
    return f"{mutant.exercise}|{mutant.name}|{source}"


def prefix(parts: Parts) -> Iterator[tuple[MatrixRow, float]]:
    """Yield the pieces of one answer from its first challenge to the first gap."""
    first = 0
    while first in parts:
        yield parts[first]
        first += parts[first][0].challenges


def reached(parts: Parts) -> int:
    """Return the number of challenges before the first gap."""
    return sum(row.challenges for row, _ in prefix(parts))


def is_done(piece: MatrixTask, done: dict[str, Parts]) -> bool:
    """Return whether the results already contain this piece."""
    parts = done.get(answer_key(piece), {})
    return piece.first in parts or piece.first < reached(parts)


def read_journal(journal: Path, current: dict[str, str]) -> dict[str, Parts]:
    """Return the journal's pieces that were made with the present code."""
    done: dict[str, Parts] = {}
    if journal.exists():
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
                if record["fingerprint"] == current.get(record["row"]["exercise"]):
                    part = MatrixRow(**record["row"]), record["seconds"]
                    done.setdefault(record["answer"], {})[record["first"]] = part
            except (ValueError, KeyError, TypeError):
                continue  # the last line of a run that was killed
    return done


def read_report(path: Path, current: dict[str, str]) -> dict[str, Parts]:
    """Return the results of a committed report that were made with the present code, one piece for each answer."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    made_with = report.get("fingerprints", {})
    fields = {field.name for field in dataclasses.fields(MatrixRow)}
    return {
        entry["answer"]: {0: (MatrixRow(**{k: v for k, v in entry.items() if k in fields}), entry["seconds"])}
        for entry in report["answers"]
        if "answer" in entry and made_with.get(entry["exercise"]) == current.get(entry["exercise"])
    }


def merge(journal: dict[str, Parts], report: dict[str, Parts]) -> dict[str, Parts]:
    """Return the journal, with the report's piece in place of the first ones if it reaches further."""
    for answer, parts in report.items():
        known = journal.setdefault(answer, {})
        if reached(parts) > reached(known):
            known[0] = parts[0]
    return journal


def timed(piece: MatrixTask) -> tuple[MatrixRow, float]:
    """Run a piece, and return its row and the processor seconds."""
    start = time.process_time()
    return row_of(piece), time.process_time() - start


def work(missing: list[MatrixTask], jobs: int, deadline: float | None):
    """Run pieces in parallel, and yield each as it ends. After the deadline no further piece is started."""
    queue = iter(missing)
    context = multiprocessing.get_context("spawn")
    bar = tqdm(total=sum(piece.challenges for piece in missing), unit="challenge", smoothing=0.05)
    with bar, ProcessPoolExecutor(jobs, mp_context=context, initializer=prepare_worker) as pool:
        running: dict = {}
        while True:
            while len(running) < 2 * jobs and (deadline is None or time.monotonic() < deadline):
                piece = next(queue, None)
                if piece is None:
                    break
                running[pool.submit(timed, piece)] = piece
            if not running:
                return
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                piece = running.pop(future)
                row, seconds = future.result()
                bar.update(piece.challenges)
                yield piece, row, seconds


def sum_up(tasks: list[MatrixTask], done: dict[str, Parts]) -> dict[str, tuple[MatrixRow, float]]:
    """Return the row of each answer, summed over its pieces, and the processor seconds."""
    results = {}
    for task in tasks:
        found = list(prefix(done.get(answer_key(task), {})))
        if found:
            first = found[0][0]
            whole = dataclasses.replace(
                first, findings=dict(first.findings), points=dict(first.points), misses=list(first.misses)
            )
            for row, _ in found[1:]:
                whole.add(row)
            whole.equivalent, whole.rate = task.mutant.equivalent, task.mutant.rate
            assess_honesty(whole)
            results[answer_key(task)] = whole, sum(seconds for _, seconds in found)
    return results


def facts(
    tasks: list[MatrixTask], results: dict[str, tuple[MatrixRow, float]], jobs: int, right: int | None = None
) -> dict[str, object]:
    """Return how the report was made: a sentence, and its numbers."""
    wished, made = sum(task.challenges for task in tasks), sum(row.challenges for row, _ in results.values())
    hours = sum(seconds for _, seconds in results.values()) / 3600
    complete = "Complete: " if made >= wished else f"Not complete, {made / wished:.0%} of the {wished:,} planned: "
    text = f"{complete}{made:,} challenges, {hours:.2f} hours of processor time, {jobs} processes."
    if right:
        text += f" Planned were {right:,} for each right answer, also where statistical tests ask for {STATISTICAL:,}."
    return {"made": text, "challenges": made, "planned": wished, "processor_hours": round(hours, 3), "processes": jobs}
