"""`autograder validate --full`: thousands of challenges, in parallel, in small pieces that survive an interruption.

Each finished piece is a line of `build/validate/LAB.jsonl`, with a mark of the code it was made with. A second start does
only what is missing, or what an exercise's changed code has put out of date; in a fresh clone it goes on from the
committed report. Pieces go round and round through all answers, so that a run that is cut short has done the same share
for each.
"""

from __future__ import annotations

import dataclasses
import hashlib
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
from autograder.validation.fingerprint import marks
from autograder.validation.kill_matrix import Row, Task, plan, row_of, run, stale_rows
from autograder.validation.report import row_key, write_report

RIGHT, STATISTICAL, WRONG, GENERIC = 1_000, 10_000, 50, 10
ROUNDS = 20
REPORTS = ROOT / "docs" / "validate"

Parts = dict[int, tuple[Row, float]]  # of one answer: first challenge -> what a piece brought, its processor seconds


def campaign(lab: Lab, right: int | None, wrong: int | None, jobs: int | None, minutes: float | None) -> list[Row]:
    """Run what is missing, for at most so many minutes, write the report, and return its rows.

    Without `right`, an answer gets 1,000 challenges, and 10,000 where the verdict has statistical tests.
    """
    jobs = jobs or os.cpu_count() or 1
    started = time.monotonic()
    tasks = targets(lab, right, wrong)
    journal = ROOT / "build" / "validate" / f"{lab.short}.jsonl"
    current = marks(lab)
    done = merge(read(journal, current), read_report(REPORTS / f"{lab.short}.json", current))
    missing = [piece for piece in pieces(tasks) if not is_done(piece, done)]
    deadline = None if minutes is None else started + 60 * minutes
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.open("a", encoding="utf-8") as lines:
        for piece, row, seconds in work(missing, jobs, deadline):
            note(lines, current[piece.mutant.exercise], answer_key(piece), piece.first, row, seconds)
            done.setdefault(answer_key(piece), {})[piece.first] = (row, seconds)
    results = collect(tasks, done)
    rows = [row for row, _ in results.values()] + list(stale_rows(lab))
    resume = {
        row_key(row): {"answer": answer, "seconds": round(seconds, 2)} for answer, (row, seconds) in results.items()
    }
    write_report(REPORTS, lab.short, rows, facts(tasks, results, jobs, right) | {"marks": current}, resume)
    return rows


def note(lines: TextIO, mark: str, answer: str, first: int, row: Row, seconds: float) -> None:
    record = {"mark": mark, "answer": answer, "first": first, "seconds": seconds, "row": dataclasses.asdict(row)}
    lines.write(json.dumps(record) + "\n")
    lines.flush()


def targets(lab: Lab, right: int | None, wrong: int | None) -> list[Task]:
    """Every answer with the number of challenges it shall get."""
    tasks = plan(lab, 1, wrong or WRONG, generic=True)
    chance = {row.exercise for row in run(t for t in tasks if t.mutant.kind == "model") if row.false_alarm}
    counts = []
    for task in tasks:
        wished = GENERIC if task.mutant.kind == "generic" else wrong or WRONG
        if task.mutant.right:
            wished = right or (STATISTICAL if task.mutant.exercise in chance else RIGHT)
        counts.append(dataclasses.replace(task, challenges=wished))
    return counts


def pieces(tasks: list[Task]) -> list[Task]:
    """The same in pieces: first a twentieth of each answer's challenges, then the next twentieth, and so on.

    An answer with more than 1,000 challenges has pieces of the size that 1,000 would give, and comes in later rounds too.
    """
    rounds: defaultdict[int, list[Task]] = defaultdict(list)
    for task in tasks:
        size = math.ceil(min(task.challenges, RIGHT) / ROUNDS)
        for number, first in enumerate(range(0, task.challenges, size)):
            rounds[number].append(dataclasses.replace(task, first=first, challenges=min(size, task.challenges - first)))
    return [piece for _, pieces_of_round in sorted(rounds.items()) for piece in pieces_of_round]


def answer_key(task: Task) -> str:
    mutant = task.mutant
    source = hashlib.sha256(repr((mutant.source, mutant.edits, mutant.setup, mutant.finds)).encode()).hexdigest()[:12]
    return f"{mutant.exercise}|{mutant.name}|{source}"


def prefix(parts: Parts) -> Iterator[tuple[Row, float]]:
    """The pieces of one answer from its first challenge on, without a gap."""
    first = 0
    while first in parts:
        yield parts[first]
        first += parts[first][0].challenges


def reached(parts: Parts) -> int:
    return sum(row.challenges for row, _ in prefix(parts))


def is_done(piece: Task, done: dict[str, Parts]) -> bool:
    parts = done.get(answer_key(piece), {})
    return piece.first in parts or piece.first < reached(parts)


def read(journal: Path, current: dict[str, str]) -> dict[str, Parts]:
    """What the journal has from today's code."""
    done: dict[str, Parts] = {}
    if journal.exists():
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
                if record["mark"] == current.get(record["row"]["exercise"]):
                    part = Row(**record["row"]), record["seconds"]
                    done.setdefault(record["answer"], {})[record["first"]] = part
            except (ValueError, KeyError, TypeError):
                continue  # the last line of a run that was killed
    return done


def read_report(path: Path, current: dict[str, str]) -> dict[str, Parts]:
    """What a committed report has, if it was made with today's code: of each answer one piece, from the first challenge on."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    made_with = report.get("marks", {})
    fields = {field.name for field in dataclasses.fields(Row)}
    return {
        entry["answer"]: {0: (Row(**{k: v for k, v in entry.items() if k in fields}), entry["seconds"])}
        for entry in report["answers"]
        if "answer" in entry and made_with.get(entry["exercise"]) == current.get(entry["exercise"])
    }


def merge(journal: dict[str, Parts], report: dict[str, Parts]) -> dict[str, Parts]:
    """The journal, and the report's piece in place of the first ones where that is more."""
    for answer, parts in report.items():
        known = journal.setdefault(answer, {})
        if reached(parts) > reached(known):
            known[0] = parts[0]
    return journal


def timed(piece: Task) -> tuple[Row, float]:
    """A piece and the processor time that it took."""
    start = time.process_time()
    return row_of(piece), time.process_time() - start


def work(missing: list[Task], jobs: int, deadline: float | None):
    """Run pieces in parallel; yields each as it ends. Stops handing out pieces at the deadline."""
    queue = iter(missing)
    context = multiprocessing.get_context("spawn")
    bar = tqdm(total=sum(piece.challenges for piece in missing), unit="challenge", smoothing=0.05)
    with bar, ProcessPoolExecutor(jobs, mp_context=context) as pool:
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


def collect(tasks: list[Task], done: dict[str, Parts]) -> dict[str, tuple[Row, float]]:
    """One row for each answer from its pieces, and the processor seconds that they took."""
    results = {}
    for task in tasks:
        found = list(prefix(done.get(answer_key(task), {})))
        if found:
            first = found[0][0]
            whole = dataclasses.replace(first, findings=dict(first.findings), misses=list(first.misses))
            for row, _ in found[1:]:
                whole.add(row)
            whole.equivalent = task.mutant.equivalent
            results[answer_key(task)] = whole, sum(seconds for _, seconds in found)
    return results


def facts(
    tasks: list[Task], results: dict[str, tuple[Row, float]], jobs: int, right: int | None = None
) -> dict[str, object]:
    """What the report says of its own making."""
    wished, made = sum(task.challenges for task in tasks), sum(row.challenges for row, _ in results.values())
    hours = sum(seconds for _, seconds in results.values()) / 3600
    complete = "Complete: " if made >= wished else f"Not complete, {made / wished:.0%} of the {wished:,} planned: "
    text = f"{complete}{made:,} challenges, {hours:.2f} hours of processor time, {jobs} processes."
    if right:
        text += f" Planned were {right:,} for each right answer, also where statistical tests ask for {STATISTICAL:,}."
    return {"made": text, "challenges": made, "planned": wished, "processor_hours": round(hours, 3), "processes": jobs}
