"""`make bench-grading`: the same submissions through stock `nbgrader autograde` and through `autograder grade`.

CPU seconds a submission are slopes between two class sizes, so that start-up counts for neither: both of ours are large
enough for a judge on every core, and stock nbgrader, which starts nothing more for more students, gets smaller classes,
because it takes ten times as long. Each command runs in a control group of its own, which counts all of its processes,
kernels and sandboxes too; where none can be made, the whole system's clock is read, and nothing else may run. The store
is cold. The class is lab 4 cut down to what is graded, solved, with a remark of each student's own: its own work is
small, and what is compared is the grader.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat

from autograder import ROOT
from autograder.course.cells import role_of
from autograder.course.labs import Lab, find_lab
from autograder.course.source import read_source
from autograder.gradebook.nbgrader import with_bin_on_path
from bench.cpu_clock import CpuClock

GRADED = ("setup", "definitions", "answer", "test", "written")
RESULTS = Path(__file__).parent / "results" / "grading.json"


def make_class(lab: Lab, folder: Path, students: int) -> None:
    """`students` different submissions of the cut-down lab, in nbgrader's layout."""
    notebook = read_source(lab)
    notebook.cells = [cell for cell in notebook.cells if role_of(cell) in GRADED]
    (folder / "source" / lab.name).mkdir(parents=True)
    nbformat.write(notebook, folder / "source" / lab.name / f"{lab.name}.ipynb")
    answer = next(cell for cell in notebook.cells if role_of(cell) == "answer")
    solved = answer.source
    for number in range(students):
        answer.source = f"{solved}\n# by student {number}"
        target = folder / "submitted" / f"student{number:04d}" / lab.name
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{lab.name}.ipynb")


@contextlib.contextmanager
def fresh_class(lab: Lab, students: int) -> Iterator[Path]:
    """Make a class of made-up students in a temporary folder, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="bench-grading-"))
    try:
        make_class(lab, folder, students)
        yield folder
    finally:
        shutil.rmtree(folder)


def environment_of_commands() -> dict[str, str]:
    """Return the environment of all commands."""
    environment = with_bin_on_path() | {"PYTHONPATH": str(ROOT), "LAB_BUDGET": "grade", "OMP_NUM_THREADS": "1"}
    return environment | {"LAB_SECRET": "the bench's secret"}


def measure_stock(clock: CpuClock, lab: Lab, students: int) -> dict[str, tuple[float, float]]:
    """Return CPU and wall seconds of stock nbgrader."""
    environment = environment_of_commands()
    with fresh_class(lab, students) as folder:
        (folder / "nbgrader_config.py").write_text(
            "c = get_config()\nc.CourseDirectory.course_id = 'stock'\nc.Execute.timeout = 600\n"
        )
        nbgrader = [sys.executable, "-m", "nbgrader"]
        clock.time([*nbgrader, "generate_assignment", lab.name], folder, environment)
        return {"stock": clock.time([*nbgrader, "autograde", lab.name], folder, environment)}


def measure(clock: CpuClock, lab: Lab, students: int) -> tuple[dict[str, tuple[float, float]], float]:
    """Return CPU and wall seconds of each of our ways to grade this many; CPU seconds of judging one."""
    environment, took = environment_of_commands(), {}
    with fresh_class(lab, students) as folder:
        ours = [sys.executable, "-m", "autograder"]
        where = [lab.name, "--course", str(folder)]
        took["grade"] = clock.time([*ours, "grade", *where, "--no-gradebook"], folder, environment)
        took["regrade"] = clock.time([*ours, "regrade", *where, "--no-gradebook"], folder, environment)
        clock.time([sys.executable, __file__, "--judge", str(folder)], folder, environment)
        alone = json.loads((folder / "judge.json").read_text())
    with fresh_class(lab, students) as folder:
        took["gradebook"] = clock.time(
            [*ours, "grade", lab.name, "--course", str(folder), "--no-feedback"], folder, environment
        )
    return took, alone


def judge_only(course: Path) -> None:
    """In a process of its own: open a graded class, then judge all of it ten times. Prints CPU seconds a submission."""
    from autograder.judging.class_run import open_class
    from autograder.judging.grade import judge_run
    from autograder.running.challenge_keys import read_secret

    class_run = open_class(find_lab("lab4"), course / "submitted", course)
    students = class_run.students[:20]
    pairs = [(s.submission, class_run.store.load(s.key)) for s in students if s.submission is not None]
    judge_run(*pairs[0], read_secret())  # what is done once: imports, the first use of torch
    started = time.process_time()
    for submission, run in pairs * 10:
        grade = judge_run(submission, run, read_secret())
        assert grade.points == grade.max_points, grade
    (course / "judge.json").write_text(json.dumps((time.process_time() - started) / len(pairs) / 10))


def main(arguments: list[str] | None = None) -> int:
    """Measure a small and a large class, and print what each student costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs=2, default=(60, 260), metavar=("FEW", "MANY"))
    parser.add_argument("--stock-sizes", type=int, nargs=2, default=(5, 20), metavar=("FEW", "MANY"))
    parser.add_argument("--quick", action="store_true", help="classes of 45 and 75, and of 2 and 6 for stock nbgrader")
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.judge:
        judge_only(options.judge)
        return 0
    sizes = (45, 75) if options.quick else tuple(options.sizes)
    stock_sizes = (2, 6) if options.quick else tuple(options.stock_sizes)
    lab, clock = find_lab("lab4"), CpuClock()
    print(f"classes of {sizes}, stock nbgrader's of {stock_sizes}")
    print(f"CPU counted by {'control group' if clock.group else 'the system clock'}")
    took: dict[str, list[tuple[float, float]]] = {}
    try:
        for few_or_many in (0, 1):
            ours, judging = measure(clock, lab, sizes[few_or_many])
            both = measure_stock(clock, lab, stock_sizes[few_or_many]) | ours
            for name, (cpu, wall) in both.items():
                students = (stock_sizes if name == "stock" else sizes)[few_or_many]
                took.setdefault(name, []).append((cpu, wall))
                print(f"  {students:4d} submissions  {name:<10} {cpu:8.1f} CPU s  {wall:8.1f} s", flush=True)
    finally:
        clock.close()
    slope = {}
    for name, ((cpu, _), (more, _)) in took.items():
        few, many = stock_sizes if name == "stock" else sizes
        slope[name] = (more - cpu) / (many - few)
    slope["judge"] = judging
    print("\nCPU seconds a submission")
    for name, text in LINES.items():
        print(f"  {slope[name]:7.3f}  {text}")
    ratios = {
        "grading ratio": slope["stock"] / slope["grade"],
        "grading ratio with gradebook": slope["stock"] / slope["gradebook"],
        "judging ratio": slope["stock"] / judging,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    waits = {name: times[1][1] for name, times in took.items()}
    document = {"sizes": sizes, "stock sizes": stock_sizes, "cpu_s": slope, "wall_s": waits} | ratios
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    for name, ratio in ratios.items():
        print(f"{name} {ratio:.1f}")
    return 0


LINES = {
    "stock": "stock nbgrader autograde",
    "grade": "autograder grade, without the gradebook pass",
    "gradebook": "autograder grade with the gradebook pass: nbgrader keeps the scores",
    "regrade": "autograder regrade: opened, repaired and judged, nothing run",
    "judge": "judging alone",
}

if __name__ == "__main__":
    sys.exit(main())
