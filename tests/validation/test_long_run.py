"""The full run: it continues where it stopped, tries everything evenly, and its committed report is current."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from autograder.course.solved import answers_of
from autograder.validation import long_run as full
from autograder.validation.kill_matrix import (
    MatrixRow,
    chance_of_refusal,
    plan,
    row_of,
)
from autograder.validation.long_run import pieces, targets
from utils.checks.exercise import load


def test_the_full_run_goes_on_where_it_stopped(lab4, tmp_path, monkeypatch):
    """Two challenges for each of two right answers, cut short after three."""
    monkeypatch.setattr(full, "ROOT", tmp_path)
    monkeypatch.setattr(full, "REPORTS", tmp_path / "docs")
    code = {entry.name: "a fingerprint" for entry in load(lab4.short)}
    monkeypatch.setattr(full, "fingerprints", lambda lab: dict(code))
    monkeypatch.setattr(full, "ROUNDS", 2)
    tasks = [task for task in plan(lab4, 2) if task.mutant.right][:2]
    monkeypatch.setattr(full, "targets", lambda lab, right, wrong: tasks)
    monkeypatch.setattr(full, "work", lambda missing, jobs, deadline: ((p, row_of(p), 0.5) for p in missing[:3]))
    full.long_run(lab4, None, None, 1, None)
    first = json.loads((tmp_path / "docs" / f"{lab4.short}.json").read_text(encoding="utf-8"))
    assert first["challenges"] == 3 and first["planned"] == 4 and first["made"].startswith("Not complete, 75%")
    asked = []
    monkeypatch.setattr(
        full, "work", lambda missing, *_: asked.extend(missing) or ((p, row_of(p), 0.5) for p in missing)
    )
    rows = full.long_run(lab4, None, None, 1, None)
    assert len(asked) == 1 and asked[0].first == 1
    assert [row.challenges for row in rows if row.challenges] == [2, 2] and all(
        row.ok for row in rows if row.challenges
    )
    assert "Complete: 4 challenges" in (tmp_path / "docs" / f"{lab4.short}.md").read_text(encoding="utf-8")
    # A fresh clone has no journal: it goes on from the report, if that was made with the same code.
    (tmp_path / "build" / "validate" / f"{lab4.short}.jsonl").unlink()
    again, asked[:] = full.long_run(lab4, None, None, 1, None), []
    assert [(row.challenges, row.good, row.findings) for row in again] == [
        (row.challenges, row.good, row.findings) for row in rows
    ]
    full.long_run(lab4, None, None, 1, None)
    assert not asked
    # Here the journal begins where the report ends.
    monkeypatch.setattr(full, "targets", lambda lab, right, wrong: [replace(task, challenges=3) for task in tasks])
    monkeypatch.setattr(full, "ROUNDS", 3)
    for times in (2, 0):
        full.long_run(lab4, None, None, 1, None)
        assert [piece.first for piece in asked] == [2] * times
        asked.clear()
    code[tasks[0].mutant.exercise] = "another fingerprint"
    full.long_run(lab4, None, None, 1, None)
    assert len(asked) == 6


def test_the_committed_report_is_of_this_lab_and_has_no_miss(lab, root):
    path = root / "docs" / "validate" / f"{lab.short}.json"
    if not path.exists():
        pytest.skip("no full run of this lab has been committed")
    report = json.loads(path.read_text(encoding="utf-8"))
    assert not [answer for answer in report["answers"] if answer["misses"]]
    right = [answer for answer in report["answers"] if answer["right"]]
    assert {answer["exercise"] for answer in right} == set(answers_of(lab))
    assert all(answer["caught"] == 0 for answer in right)


def test_the_full_run_tries_everything_evenly(lab4):
    tasks = targets(lab4, None, None)
    cut = pieces(tasks)
    assert sum(piece.challenges for piece in cut) == sum(task.challenges for task in tasks)
    assert {piece.challenges for piece in cut[: len(tasks)]} == {1}, "first one challenge of each"
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
    assert chance_of_refusal([MatrixRow("a", "x", True, 1, false_alarm=1e-7), MatrixRow("a", "y", True, 1)]) == {
        "a": 1e-7
    }
