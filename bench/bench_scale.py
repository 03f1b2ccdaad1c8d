"""A class that grows to thousands: `python -m bench.bench_scale [--sizes 500 1000 2500 5000] [--gradebook]`.

Each submission is the model's notebook with one answer taken from the mutants of lab 4, right or wrong, and a remark of
the student's own, so that no two are the same. What is measured are the commands that instructors type. At each size
`grade` runs the students who are new, and judges all. Results go to bench/results/scale.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import psutil

from autograder import ROOT
from autograder.course.labs import Lab, find_lab
from autograder.course.source import read_source
from autograder.demo import as_colab_saves
from autograder.exercises.kits.mutants import load
from autograder.gradebook.nbgrader import with_bin_on_path

RESULTS = Path(__file__).parent / "results" / "scale.json"
MB = 2**20


def add_students(lab: Lab, folder: Path, first: int, end: int) -> int:
    """Write the submissions of some students, and return how many of them have a wrong answer.

    Args:
        lab: the lab.
        folder: the course.
        first: the number of the first student.
        end: one more than the number of the last one.
    """
    wrong, master = 0, read_source(lab)
    answers = {cell.id: cell.source for cell in master.cells}
    mutants = itertools.islice(itertools.cycle(load(lab.short)), first, end)
    for number, mutant in zip(range(first, end), mutants):
        notebook = nbformat.from_dict(master)
        cell = next(c for c in notebook.cells if c.id == mutant.exercise.replace(".", "_") + "_answer")
        cell.source = f"# GRADED: {mutant.exercise}\n{mutant.answer(answers[cell.id])}"
        remark = nbformat.v4.new_code_cell(f"# submission {number}")
        helper = [nbformat.v4.new_code_cell(mutant.setup)] if mutant.setup else []
        place = notebook.cells.index(cell)
        notebook.cells = [*notebook.cells[:place], *helper, *notebook.cells[place:], remark]
        path = folder / "submitted" / f"student{number:04d}" / lab.name / f"{lab.name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(as_colab_saves(notebook)), encoding="utf-8")
        cell.source = answers[cell.id]
        wrong += not mutant.right
    return wrong


class Watch(threading.Thread):
    """The most memory that a process and all its children hold at once, shared pages counted once (PSS)."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid, self.most = pid, 0

    def run(self) -> None:
        """Look at the processes every two seconds until the first one has ended."""
        while psutil.pid_exists(self.pid):
            held = 0
            try:
                family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in family:
                try:
                    held += process.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            self.most = max(self.most, held)
            time.sleep(2)


class Commands:
    """The commands of an instructor on one course, timed.

    Args:
        lab: the lab.
        folder: the course.
    """

    def __init__(self, lab: Lab, folder: Path):
        self.lab, self.folder = lab, folder
        self.environment = os.environ | with_bin_on_path() | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def time(self, name: str, *options: str) -> tuple[str, dict[str, float]]:
        """Run a command, and return what it printed, its seconds and its most memory in MB.

        Raises:
            RuntimeError: the command failed.
        """
        words = [sys.executable, "-m", "autograder", name, self.lab.name, "--course", str(self.folder), *options]
        started = time.perf_counter()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            process = subprocess.Popen(words, env=self.environment, stdout=output, stderr=subprocess.DEVNULL)
            watch = Watch(process.pid)
            watch.start()
            code = process.wait()
            output.seek(0)
            said = output.read()
        if code != 0:
            raise RuntimeError(f"autograder {name} ended with {code}:\n{said[-3000:]}")
        seconds = time.perf_counter() - started
        return said, {f"{name}, s": round(seconds, 1), f"{name}, MB": round(watch.most / MB)}


def measure(commands: Commands, students: int, new: int, gradebook: bool) -> dict[str, float]:
    """Grade a class, grade it again, and make its report; return what each took.

    Args:
        commands: the commands of the course.
        students: the number of submissions.
        new: how many of them have not been run yet.
        gradebook: whether nbgrader keeps the grades, which then are exported.
    """
    how = ("--no-feedback",) if gradebook else ("--no-gradebook",)
    said, row = commands.time("grade", *how)
    graded = int(re.search(r"(\d+) of \d+ submissions graded", said)[1])  # type: ignore[index]
    row = {"submissions": students, "new": new, "graded": graded} | row
    row |= commands.time("regrade", *how)[1]
    page, report = commands.time("report", "--json")
    row |= report
    if gradebook:
        row |= commands.time("export", "--to", "csv")[1]
    document = json.loads(page)
    row["below full points"] = sum((s["points"] or 0) < document["max_points"] for s in document["students"])
    files = (path for path in (commands.folder / "store").rglob("*") if path.is_file())
    return row | {"store, MB": round(sum(path.stat().st_size for path in files) / MB)}


def main(arguments: list[str] | None = None) -> int:
    """Let a class grow, and print what each size took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=(500, 1000, 2500, 5000))
    parser.add_argument("--gradebook", action="store_true", help="nbgrader keeps the grades too; takes longer")
    options = parser.parse_args(arguments)
    lab, folder = find_lab("lab4"), Path(tempfile.mkdtemp(prefix="bench-scale-"))
    rows, wrong, students, right = [], 0, 0, True
    try:
        for size in sorted(options.sizes):
            wrong += add_students(lab, folder, students, size)
            row = measure(Commands(lab, folder), size, size - students, options.gradebook)
            students = size
            rows.append(row | {"with a wrong answer": wrong})
            right &= row["graded"] == size and row["below full points"] == wrong
            print(" · ".join(f"{name} {value:g}" for name, value in rows[-1].items()), flush=True)
            document = {"cores": os.cpu_count(), "gradebook": options.gradebook, "rows": rows}
            RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
