"""The template stays clean: nothing that a submission does is seen by the next one."""

import json
import logging

import nbformat
import pytest

from autograder.course.cells import role_of
from autograder.course.source import read_source
from autograder.intake.repair import repair
from autograder.judging.grade import judge_run, run_submission
from autograder.running import sandbox as sandbox_module
from autograder.running.limits import Limits
from autograder.running.sandbox import Sandbox

SECRET = b"the secret of these tests"
TARGETS = {
    "limits": "import resource; resource.prlimit(1, resource.RLIMIT_STACK, (2**20, 2**20))",
    "limit of files": "import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (4, 4))",
    "processors": "import os; os.sched_setaffinity(1, {min(os.sched_getaffinity(0))})",
    "class": "import os; os.sched_setscheduler(1, os.SCHED_BATCH, os.sched_param(0))",
    "priority": "import os; os.setpriority(os.PRIO_PROCESS, 1, 19)",
    "priority of disks": "import ctypes; assert ctypes.CDLL(None).syscall(251, 1, 1, 3 << 13) == 0",
}
# A right answer to this exercise, which needs a deep stack.
RECURSIVE = """
def _depth(n):
    return 0 if n == 0 else 1 + _depth(n - 1)
import sys
sys.setrecursionlimit(60_000)
assert _depth(20_000) == 20_000
"""


def run(box, source):
    """Return what a notebook of one cell displays."""
    outcome = box.run([{"index": 0, "source": source}], {})
    return outcome, json.dumps(outcome.outputs.get(0, {}).get("outputs"))


@pytest.mark.parametrize("change", TARGETS.values(), ids=TARGETS)
def test_a_submission_cannot_change_the_template(change, sandbox):
    outcome, printed = run(sandbox, change)
    assert outcome.finished and ("Operation not permitted" in printed or "AssertionError" in printed), printed


def test_a_template_that_was_changed_is_replaced_with_a_sentence(needs_bubblewrap, monkeypatch, caplog):
    """On a machine without the filter these calls succeed: then the comparison finds them."""
    monkeypatch.setattr(sandbox_module, "open_filter", lambda: None)
    look = "import os, resource; resource.getrlimit(resource.RLIMIT_STACK), os.sched_getscheduler(0)"
    with caplog.at_level(logging.WARNING), Sandbox(Limits()) as box:
        _, before = run(box, look)
        for name, what in (("limits", "limits"), ("class", "scheduling")):
            caplog.clear()
            outcome, printed = run(box, TARGETS[name])
            assert outcome.finished and "not permitted" not in printed, printed
            assert what in caplog.text and "The template is replaced" in caplog.text
            _, after = run(box, look)
            assert after == before


LEFT = {
    "a closed connection": (
        "import socket\ns = socket.create_server(('127.0.0.1', 5000))\n"
        "c = socket.create_connection(('127.0.0.1', 5000))\na, _ = s.accept(); a.close(); c.close()",
        "network",
    ),
    "a count of packets": (
        "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
        "for _ in range(42): s.sendto(b'x', ('127.0.0.1', 9))\ns.close()",
        "network",
    ),
    "an attribute of a folder": ("import os; os.setxattr('/dev/shm', 'user.mark', b'x')", "files in memory"),
    "a flag of a folder": (
        "import fcntl, os\nf = os.open('/dev/shm', os.O_RDONLY)\n"
        "fcntl.ioctl(f, 0x40086602, (0x40).to_bytes(8, 'little'))  # FS_NODUMP_FL",
        "files in memory",
    ),
}
EVERY_TIME = ("a closed connection", "a flag of a folder")  # one of each kind: each costs a new template


@pytest.mark.parametrize(
    ("leaves", "what"),
    [pytest.param(*case, id=name, marks=[pytest.mark.slow] * (name not in EVERY_TIME)) for name, case in LEFT.items()],
)
def test_what_outlives_the_processes_of_a_run_replaces_the_template(leaves, what, sandbox, caplog):
    with caplog.at_level(logging.WARNING):
        outcome, printed = run(sandbox, leaves)
    if "not supported" in printed or "Inappropriate ioctl" in printed:
        pytest.skip("this kernel's files in memory have no such attribute")
    assert outcome.finished and what in caplog.text, printed
    assert run(sandbox, "1 + 1")[0].finished


def test_the_times_of_the_folders_carry_no_message(sandbox):
    run(sandbox, "import os; [os.utime(place, (4102444800, 7654321)) for place in ('/tmp', '/dev/shm')]")
    _, printed = run(sandbox, "import os; print([os.stat(place)[7:9] for place in ('/tmp', '/dev/shm')])")
    assert "4102444800" not in printed and "7654321" not in printed, printed


def test_an_honest_run_changes_nothing(sandbox, lab4, caplog):
    with caplog.at_level(logging.WARNING):
        notebook = read_source(lab4)
        notebook.cells = [c for c in notebook.cells if role_of(c) not in ("illustration", "")]
        run_submission(repair(notebook, lab4), sandbox, SECRET)
    assert not caplog.text


def test_a_neighbour_with_a_recursive_answer_keeps_the_points(sandbox, lab4):
    """The case of the review: a limit on the template's stack cost the next student two points."""

    def recursive():
        notebook = read_source(lab4)
        notebook.cells = [c for c in notebook.cells if role_of(c) not in ("illustration", "")]
        cell = next(c for c in notebook.cells if c.id == "lab4_cfg_train_loss_answer")
        cell.source = cell.source + "\n" + RECURSIVE
        return repair(notebook, lab4)

    hostile = read_source(lab4)
    first = next(i for i, c in enumerate(hostile.cells) if role_of(c) == "answer")
    lines = "\n".join(f"try:\n    {change}\nexcept BaseException as e: print(e)" for change in TARGETS.values())
    hostile.cells.insert(first, nbformat.v4.new_code_cell(lines))
    alone = judge_run(recursive(), run_submission(recursive(), sandbox, SECRET), SECRET)
    run_submission(repair(hostile, lab4), sandbox, SECRET)
    after = judge_run(recursive(), run_submission(recursive(), sandbox, SECRET), SECRET)
    assert alone.points == alone.max_points and not alone.problems
    assert after.to_json() == alone.to_json()
