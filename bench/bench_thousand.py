"""A thousand submissions in one run: `python -m bench.bench_thousand [--students N] [--gradebook]`.

Each is the model's notebook with one answer taken from the mutants of lab 4, right or wrong, and a remark of the
student's own, so that no two are the same. What is measured is the command that instructors type.
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

RESULTS = Path(__file__).parent / "results" / "thousand.json"


def make_class(lab: Lab, folder: Path, students: int) -> int:
    """Write the submissions. Returns how many of them have a wrong answer."""
    wrong, master = 0, read_source(lab)
    answers = {cell.id: cell.source for cell in master.cells}
    for number, mutant in zip(range(students), itertools.cycle(load(lab.short))):
        notebook = nbformat.from_dict(master)
        cell = next(c for c in notebook.cells if c.id == mutant.exercise.replace(".", "_") + "_answer")
        cell.source = f"# GRADED: {mutant.exercise}\n{mutant.answer(answers[cell.id])}"
        remark = nbformat.v4.new_code_cell(f"# submission {number}")
        helper = [nbformat.v4.new_code_cell(mutant.setup)] if mutant.setup else []
        place = notebook.cells.index(cell)
        notebook.cells = [*notebook.cells[:place], *helper, *notebook.cells[place:], remark]
        place = folder / "submitted" / f"student{number:04d}" / lab.name / f"{lab.name}.ipynb"
        place.parent.mkdir(parents=True)
        place.write_text(nbformat.writes(as_colab_saves(notebook)), encoding="utf-8")
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


def main(arguments: list[str] | None = None) -> int:
    """Grade a large class, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=1000)
    parser.add_argument("--gradebook", action="store_true", help="nbgrader keeps the grades too; takes longer")
    options = parser.parse_args(arguments)
    lab, folder = find_lab("lab4"), Path(tempfile.mkdtemp(prefix="bench-thousand-"))
    try:
        wrong = make_class(lab, folder, options.students)
        command = [sys.executable, "-m", "autograder", "grade", lab.name, "--course", str(folder)]
        command += ["--no-feedback"] if options.gradebook else ["--no-gradebook"]
        environment = os.environ | with_bin_on_path() | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        started = time.perf_counter()
        with open(folder / "output.txt", "w", encoding="utf-8") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
            watch = Watch(process.pid)
            watch.start()
            code = process.wait()
        seconds = time.perf_counter() - started
        said = (folder / "output.txt").read_text(encoding="utf-8")
        if code != 0:
            print(said[-3000:], file=sys.stderr)
            return code
        graded = int(re.search(r"(\d+) of \d+ submissions graded", said)[1])
        report = subprocess.run(
            [sys.executable, "-m", "autograder", "report", lab.name, "--course", str(folder), "--json"],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        page = json.loads(report.stdout)
        store = sum(p.stat().st_size for p in (folder / "store").rglob("*") if p.is_file())
        facts = {
            "submissions": options.students,
            "with a wrong answer": wrong,
            "graded": graded,
            "below full points": sum((s["points"] or 0) < page["max_points"] for s in page["students"]),
            "gradebook": options.gradebook,
            "seconds": round(seconds),
            "CPU seconds of the notebooks": round(page["cost"]["total_cpu_seconds"]),
            "most memory, MB": round(watch.most / 2**20),
            "store, MB": round(store / 2**20, 1),
            "cores": os.cpu_count(),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    for name, value in facts.items():
        print(f"{name}: {value}")
    return 0 if graded == options.students and facts["below full points"] == wrong else 1


if __name__ == "__main__":
    sys.exit(main())
