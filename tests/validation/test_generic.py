"""Wrong answers made by a program: how they are made, and that none survives."""

import pytest

from autograder.course.labs import find_lab
from autograder.course.solved import answers_of
from autograder.validation.equivalent import EQUIVALENT
from autograder.validation.fingerprint import fingerprints
from autograder.validation.generic import changes_of
from autograder.validation.kill_matrix import (
    plan,
    run,
    stale_rows,
)
from autograder.validation.long_run import answer_key, read_report
from autograder.validation.report import REPORTS
from tests.syllabus import FINISHED

SAMPLE = 10  # of each exercise's changes; `make validate` and `make validate-full` run all

ANSWER = '''
def f(x, y, eta):
    """Given: 1 + 1 must stay."""
    given = x * 2
    ### BEGIN SOLUTION
    if torch.rand(()) < eta:
        x = x.detach()
    return -torch.mean(x - y, dim=0)
    ### END SOLUTION
'''


def test_changes_are_small_named_and_inside_the_markers():
    changes = {change.name: change.source for change in changes_of(ANSWER)}
    assert {
        "if torch.rand(()) > eta:",
        "if torch.randn(()) < eta:",
        "without: x = x.detach()",
        "x = x",
        "return torch.mean(x - y, dim=0)",
        "return -torch.mean(x + y, dim=0)",
        "return -torch.mean(y - x, dim=0)",
        "return -torch.mean(x, dim=0)",
        "return -torch.sum(x - y, dim=0)",
        "return -torch.mean(x - y, dim=1)",
        "return -torch.mean(x - y)",
    } <= set(changes)
    assert all("given = x * 2" in source and "1 + 1" in source for source in changes.values())
    assert len(set(changes.values())) == len(changes)


def test_no_generic_change_survives(lab):
    """What the committed report of the full run has tried with the present code is not tried again."""
    if lab.short not in FINISHED:
        pytest.skip("a new lab: its changes that make no difference are not listed yet")
    tasks = [task for task in plan(lab, generic=True, sample=SAMPLE) if task.mutant.kind == "generic"]
    listed = {(name, change) for name, table in EQUIVALENT.items() for change in table}
    whole = [task for task in plan(lab, generic=True) if (task.mutant.exercise, task.mutant.name) in listed]
    chosen = {task.mutant: task for task in tasks + whole}
    assert len(chosen) >= 5 * len({mutant.exercise for mutant in chosen})
    tried = read_report(REPORTS / f"{lab.short}.json", fingerprints(lab))
    rows = run(task for task in chosen.values() if answer_key(task) not in tried)
    assert not [f"{row.exercise}: {row.name}: {row.misses}" for row in rows if not row.ok]


def test_an_entry_of_the_table_that_nothing_makes_is_told(monkeypatch):
    lab = find_lab("lab4")
    name = next(iter(answers_of(lab)))
    monkeypatch.setitem(EQUIVALENT, name, {"return 42": "no reason"})
    assert [(row.exercise, row.name, row.ok) for row in stale_rows(lab)] == [(name, "return 42", False)]
