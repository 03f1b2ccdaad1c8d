"""A small class, graded on an idle machine and beside eight busy loops, gets equal grades."""

import subprocess
import sys

import nbformat
import pytest

from autograder.course.cells import role_of
from autograder.course.source import read_source
from autograder.intake.repair import repair
from autograder.judging.grade import judge_run, run_submission
from autograder.running.limits import Limits
from autograder.running.sandbox import Sandbox

SECRET = b"the secret of these tests"
LOOPS = 8
# One cell may compute for 6 s. Beside eight loops on two processors, 3 s of work take longer than that on the wall.
LIMITS = Limits(cell_s=6, notebook_s=40, busy_factor=30)
WORK = "import time\n_end = time.process_time() + {}\nwhile time.process_time() < _end: pass"
EXTRA = {
    "quick": "1 + 1",
    "slow": WORK.format(3),
    "too slow": WORK.format(600),
    "waits": "import time\ntime.sleep(1)",
    "waits in vain": "import time\ntime.sleep(600)",
    "two processes": f"import os\nif os.fork() == 0:\n    exec({WORK.format(2)!r})\n    os._exit(0)\nos.wait()",
}


def grade_all(lab, box):
    """Return what each student gets and is told."""
    grades = {}
    for student, extra in EXTRA.items():
        notebook = read_source(lab)
        notebook.cells = [c for c in notebook.cells if role_of(c) not in ("illustration", "")]
        first = next(i for i, c in enumerate(notebook.cells) if role_of(c) == "answer")
        notebook.cells.insert(first, nbformat.v4.new_code_cell(extra))
        submission = repair(notebook, lab)
        grades[student] = judge_run(submission, run_submission(submission, box, SECRET), SECRET).to_json()
    return grades


@pytest.mark.slow
def test_grades_are_equal_idle_and_beside_eight_busy_loops(needs_bubblewrap, lab4):
    with Sandbox(LIMITS) as box:
        idle = grade_all(lab4, box)
        loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(LOOPS)]
        try:
            busy = grade_all(lab4, box)
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()
    assert busy == idle
    ended = {student for student, grade in idle.items() if any("time limit" in line for line in grade["problems"])}
    assert ended == {"too slow", "waits in vain"}
    assert {grade["points"] for grade in idle.values()} == {idle["quick"]["max_points"]}


@pytest.mark.slow
def test_a_sandbox_starts_beside_eight_busy_loops(needs_bubblewrap):
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(LOOPS)]
    try:
        with Sandbox(LIMITS) as box:
            assert box.run([{"index": 0, "source": "1"}], {}).finished
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
