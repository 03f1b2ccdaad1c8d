"""What there is to wait for at the start, in CPU seconds beside `import torch`: `python -m bench.bench_start`.

Measured in turns, each in a process of its own: a sandbox until its template is ready, `autograder grade-one` on a
solved lab 4 whose own work is small, and in a student's notebook the set-up cell of each lab. Then, once, the first
`check` of each exercise in a new kernel, which reads and computes what later ones have ready.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tqdm import tqdm

from autograder.course.cells import named_exercise_of, role_of
from autograder.course.labs import Lab, find_lab, labs
from autograder.course.source import read_source
from bench.bench_grading import environment_of_commands, make_class
from bench.cpu_clock import CpuClock

RESULTS = Path(__file__).parent / "results" / "start.json"


def programs_of(lab: Lab) -> tuple[str, dict[str, str]]:
    """Return a lab's set-up cell and, by exercise, a program that prints the CPU seconds of the first check of it."""
    setup, code, programs = "", [], {}
    for cell in read_source(lab).cells:
        role = role_of(cell)
        if role == "setup":
            setup = cell.source
        elif role in ("definitions", "answer") and cell.cell_type == "code":
            code.append(cell.source)
        if role == "answer" and cell.cell_type == "code":
            exercise = named_exercise_of(cell)
            timed = f"import time\nstart = time.process_time()\ncheck({exercise!r})\nprint(time.process_time() - start)"
            programs[exercise] = "\n".join([setup, *code, timed])
    return setup, programs


def printed_seconds(program: str, folder: Path, environment: dict[str, str]) -> float:
    """Run a program, and return the number that it prints last."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def measure(clock: CpuClock, rounds: int) -> dict[str, float]:
    """Return median CPU seconds by what was measured."""
    environment = environment_of_commands() | {"LAB_BUDGET": "ci", "MPLBACKEND": "agg"}
    python = [sys.executable, "-c"]
    took: defaultdict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bench-start-") as temporary:
        folder, lab = Path(temporary), find_lab("lab4")
        make_class(lab, folder, 1)
        notebook = next(folder.glob(f"submitted/*/{lab.name}/*.ipynb"))
        commands = {
            "torch": [*python, "import torch"],
            "torch and matplotlib": [*python, "import torch\nimport matplotlib.pyplot"],
            "template": [*python, "from autograder.running.sandbox import Sandbox\nwith Sandbox():\n    pass"],
            "grade-one": [sys.executable, "-m", "autograder", "grade-one", str(notebook)],
        }
        notebooks = {lab.short: programs_of(lab) for lab in labs()}
        commands |= {f"set-up cell of {short}": [*python, setup] for short, (setup, _) in notebooks.items()}
        for turn in tqdm(range(rounds + 1), unit="round"):  # the first one reads the files
            for name, command in commands.items():
                seconds, _ = clock.time(command, folder, environment)
                took[name] += [seconds] * bool(turn)
        checks = {name: program for _, programs in notebooks.values() for name, program in programs.items()}
        for exercise, program in tqdm(checks.items(), unit="check"):
            took[f"first check of {exercise}"].append(printed_seconds(program, folder, environment))
    return {name: statistics.median(seconds) for name, seconds in took.items()}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print each beside what it is compared with, and write the numbers to `results/start.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    options = parser.parse_args(arguments)
    clock = CpuClock()
    try:
        seconds = measure(clock, options.rounds)
    finally:
        clock.close()
    times = {name: took / seconds[beside(name)] for name, took in seconds.items() if beside(name)}
    slowest = max((name for name in seconds if name.startswith("first check")), key=seconds.__getitem__)
    times["the slowest first check"] = seconds[slowest] / seconds["torch"]
    print("\nCPU seconds")
    for name, took in seconds.items():
        print(f"  {took:6.2f}  {name}" + (f": {times[name]:.2f} times {beside(name)}" if name in times else ""))
    RESULTS.write_text(json.dumps({"cpu_s": seconds, "times": times}, indent=1) + "\n")
    return 0


def beside(name: str) -> str:
    """Return what a measurement is compared with, or nothing."""
    if name in ("template", "grade-one"):
        return "torch"
    return "torch and matplotlib" if name.startswith("set-up") else ""


if __name__ == "__main__":
    sys.exit(main())
