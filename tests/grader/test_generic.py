"""Wrong answers made by a program: how they are made, and that none survives. The full run and its report."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from autograder.course.labs import labs
from autograder.exercises.kits.mutants import Mutant
from autograder.validation import kill_matrix as validate
from autograder.validation import long_run as campaign
from autograder.validation.equivalent import EQUIVALENT
from autograder.validation.fingerprint import Names, marks, read_module
from autograder.validation.generic import changes_of
from autograder.validation.kill_matrix import (
    Endless,
    Row,
    Task,
    answers_of,
    chance_of_refusal,
    limited,
    plan,
    print_matrix,
    row_of,
    run,
    stale_rows,
)
from autograder.validation.long_run import pieces, targets
from autograder.validation.report import write_page
from utils.checks.evidence import Evidence
from utils.checks.exercise import load

SAMPLE = 24  # of each exercise's changes; `make validate` and `make validate-full` run all

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


@pytest.mark.parametrize("lab", labs(), ids=lambda lab: lab.short)
def test_no_generic_change_survives(lab):
    tasks = [task for task in plan(lab, generic=True, sample=SAMPLE) if task.mutant.kind == "generic"]
    listed = {(name, change) for name, table in EQUIVALENT.items() for change in table}
    whole = [task for task in plan(lab, generic=True) if (task.mutant.exercise, task.mutant.name) in listed]
    rows = list(run({t.mutant: t for t in tasks + whole}.values()))
    assert len(rows) >= 5 * len({row.exercise for row in rows})
    assert not [f"{row.exercise}: {row.name}: {row.misses}" for row in rows if not row.ok]


def test_an_entry_of_the_table_that_nothing_makes_is_told(monkeypatch):
    lab = labs()[-1]
    name = next(iter(answers_of(lab)))
    monkeypatch.setitem(EQUIVALENT, name, {"return 42": "no reason"})
    assert [(row.exercise, row.name, row.ok) for row in stale_rows(lab)] == [(name, "return 42", False)]


def test_an_answer_without_end_is_stopped_and_a_broken_one_is_told(monkeypatch):
    with pytest.raises(Endless), limited(0.1), Evidence("lab").attempt("probe"):
        while True:
            pass
    monkeypatch.setattr(validate, "CPU_LIMIT", 0.2)
    lab = labs()[-1]
    name, source = next(iter(answers_of(lab).items()))
    endless = Mutant(name, "endless", False, source=source + "\nwhile True:\n    pass\n", kind="generic")
    assert row_of(Task(lab.short, endless, 1)).findings == {"does_not_run": 1}
    broken = Mutant(name, "broken", True, source="1 / 0")
    assert "ZeroDivisionError" in row_of(Task(lab.short, broken, 1)).misses[0]


def test_the_matrix_tells_what_is_missing(capsys, tmp_path):
    """A surviving change, a change listed without need, a sure refusal and a rare catch each stand out."""
    lab = labs()[-1]
    name, source = next(iter(answers_of(lab).items()))
    rows = [
        row_of(Task(lab.short, Mutant(name, "the answer itself", False, source=source, kind="generic"), 2)),
        row_of(Task(lab.short, Mutant(name, "empty", False, source="pass", kind="generic", equivalent="no"), 2)),
        row_of(Task(lab.short, Mutant(name, "nothing", True, source="pass"), 2)),
        row_of(Task(lab.short, Mutant(name, "not a mistake", False, ("wrong",), source=source), 2)),
        Row(name, "now and then", False, 8, good=6, caught=6),
    ]
    assert not print_matrix(rows)
    text = capsys.readouterr().out
    for words in ("survives", "listed as equivalent, but missing_name", "refused: missing_name", "not caught", "75.0%"):
        assert words in text
    write_page(tmp_path / "page.html", rows)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("✗ miss") == 4 and "http" not in page and "<script" not in page


@pytest.mark.parametrize("lab", labs(), ids=lambda lab: lab.short)
def test_the_full_run_goes_on_where_it_stopped(lab, tmp_path, monkeypatch):
    """Two challenges for each of two right answers, cut short after three."""
    monkeypatch.setattr(campaign, "ROOT", tmp_path)
    monkeypatch.setattr(campaign, "REPORTS", tmp_path / "docs")
    marks = {entry.name: "a mark" for entry in load(lab.short)}
    monkeypatch.setattr(campaign, "marks", lambda lab: dict(marks))
    monkeypatch.setattr(campaign, "ROUNDS", 2)
    tasks = [task for task in plan(lab, 2) if task.mutant.right][:2]
    monkeypatch.setattr(campaign, "targets", lambda lab, right, wrong: tasks)
    monkeypatch.setattr(campaign, "work", lambda missing, jobs, deadline: ((p, row_of(p), 0.5) for p in missing[:3]))
    campaign.campaign(lab, None, None, 1, None)
    first = json.loads((tmp_path / "docs" / f"{lab.short}.json").read_text(encoding="utf-8"))
    assert first["challenges"] == 3 and first["planned"] == 4 and first["made"].startswith("Not complete, 75%")
    asked = []
    monkeypatch.setattr(
        campaign, "work", lambda missing, *_: asked.extend(missing) or ((p, row_of(p), 0.5) for p in missing)
    )
    rows = campaign.campaign(lab, None, None, 1, None)
    assert len(asked) == 1 and asked[0].first == 1
    assert [row.challenges for row in rows if row.challenges] == [2, 2] and all(
        row.ok for row in rows if row.challenges
    )
    assert "Complete: 4 challenges" in (tmp_path / "docs" / f"{lab.short}.md").read_text(encoding="utf-8")
    # A fresh clone has no journal: it goes on from the report, if that was made with the same code.
    (tmp_path / "build" / "validate" / f"{lab.short}.jsonl").unlink()
    again, asked[:] = campaign.campaign(lab, None, None, 1, None), []
    assert [(row.challenges, row.good, row.findings) for row in again] == [
        (row.challenges, row.good, row.findings) for row in rows
    ]
    campaign.campaign(lab, None, None, 1, None)
    assert not asked
    # Here the journal begins where the report ends.
    monkeypatch.setattr(campaign, "targets", lambda lab, right, wrong: [replace(task, challenges=3) for task in tasks])
    monkeypatch.setattr(campaign, "ROUNDS", 3)
    for times in (2, 0):
        campaign.campaign(lab, None, None, 1, None)
        assert [piece.first for piece in asked] == [2] * times
        asked.clear()
    marks[tasks[0].mutant.exercise] = "another mark"
    campaign.campaign(lab, None, None, 1, None)
    assert len(asked) == 6


def test_a_mark_hangs_on_the_code_that_decides_and_on_nothing_else(monkeypatch):
    """Change a source at a time; whose mark changes?"""
    read = Names.__init__

    def changed(old: str, new: str) -> set[str]:
        def init(self, source: str) -> None:
            read(self, source.replace(old, new))

        monkeypatch.setattr(Names, "__init__", init)
        read_module.cache_clear()
        after = {name for lab in labs() for name, mark in marks(lab).items() if mark != before[name]}
        monkeypatch.setattr(Names, "__init__", read)
        read_module.cache_clear()
        return after

    before = {name: mark for lab in labs() for name, mark in marks(lab).items()}
    assert len(set(before.values())) == len(before)
    assert changed("# The terms cancel", "# terms cancel") == set()
    assert changed('"""Trains `model` by gradient descent', '"""Trains it by gradient descent') == set()
    assert changed("\nBATCH = 256", "\nBATCH = 255") == {"lab4.cfg_train_loss"}
    assert changed("terms.sum(1).mean()", "terms.sum(1).sum()") == {"lab1.classifier_loss", "lab3.classifier_loss"}
    assert changed("LARGEST, MOST_AXES = 2**20, 8", "LARGEST, MOST_AXES = 2**20, 9") == set(before)
    assert "lab1.guided_step" in (vp := changed("BETA_MAX", "B_MAX")) and vp <= {n for n in before if n[:4] == "lab1"}


@pytest.mark.parametrize("lab", labs(), ids=lambda lab: lab.short)
def test_the_committed_report_is_of_this_lab_and_has_no_miss(lab, root):
    path = root / "docs" / "validate" / f"{lab.short}.json"
    if not path.exists():
        pytest.skip("no full run of this lab has been committed")
    report = json.loads(path.read_text(encoding="utf-8"))
    assert not [answer for answer in report["answers"] if answer["misses"]]
    right = [answer for answer in report["answers"] if answer["right"]]
    assert {answer["exercise"] for answer in right} == set(answers_of(lab))
    assert all(answer["caught"] == 0 for answer in right)


@pytest.mark.parametrize("lab", labs(), ids=lambda lab: lab.short)
def test_the_full_run_tries_everything_evenly(lab):
    tasks = targets(lab, None, None)
    cut = pieces(tasks)
    assert sum(piece.challenges for piece in cut) == sum(task.challenges for task in tasks)
    seen = Counter()
    for piece in cut:
        seen[piece.mutant.exercise, piece.mutant.name] += piece.challenges
        if sum(seen.values()) * 2 > sum(min(task.challenges, 1_000) for task in tasks):
            break
    shares = [seen[t.mutant.exercise, t.mutant.name] / min(t.challenges, 1_000) for t in tasks if t.challenges >= 50]
    assert min(shares) > 0.35 and max(shares) < 0.7
    for task in tasks:
        wrong = 10 if task.mutant.kind == "generic" else 50
        assert task.challenges in ((1_000, 10_000) if task.mutant.right else (wrong,))
    assert chance_of_refusal([Row("a", "x", True, 1, false_alarm=1e-7), Row("a", "y", True, 1)]) == {"a": 1e-7}
