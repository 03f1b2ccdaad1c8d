"""Wrong answers made by a program: how they are made, and that none survives. The full run and its report."""

import ast
import json
from collections import Counter
from dataclasses import replace

import pytest

from autograder.course.labs import labs
from autograder.course.solved import answers_of
from autograder.exercises.kits.mutants import Mutant
from autograder.printing import print_matrix
from autograder.validation import fingerprint as fingerprint_module
from autograder.validation import kill_matrix as validate
from autograder.validation import long_run as full
from autograder.validation.equivalent import EQUIVALENT
from autograder.validation.fingerprint import fingerprints
from autograder.validation.generic import changes_of
from autograder.validation.kill_matrix import (
    Endless,
    MatrixRow,
    MatrixTask,
    chance_of_refusal,
    limited,
    plan,
    row_of,
    run,
    stale_rows,
)
from autograder.validation.long_run import pieces, targets
from autograder.validation.report import renew_fingerprints, write_page
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
    assert row_of(MatrixTask(lab.short, endless, 1)).findings == {"does_not_run": 1}
    broken = Mutant(name, "broken", True, source="1 / 0")
    assert "ZeroDivisionError" in row_of(MatrixTask(lab.short, broken, 1)).misses[0]


def test_the_matrix_tells_what_is_missing(capsys, tmp_path):
    """A surviving change, a change listed without need, a sure refusal and a rare catch each stand out."""
    lab = labs()[-1]
    name, source = next(iter(answers_of(lab).items()))
    rows = [
        row_of(MatrixTask(lab.short, Mutant(name, "the answer itself", False, source=source, kind="generic"), 2)),
        row_of(MatrixTask(lab.short, Mutant(name, "empty", False, source="pass", kind="generic", equivalent="no"), 2)),
        row_of(MatrixTask(lab.short, Mutant(name, "nothing", True, source="pass"), 2)),
        row_of(MatrixTask(lab.short, Mutant(name, "not a mistake", False, ("wrong",), source=source), 2)),
        MatrixRow(name, "now and then", False, 8, good=6, caught=6),
    ]
    assert [row.ok for row in print_matrix(rows)] == [False] * 4 + [True]
    text = capsys.readouterr().out
    for words in (
        "survives",
        "listed as equivalent, but missing_name",
        "rejected: missing_name",
        "not caught",
        "75.0%",
    ):
        assert words in text
    write_page(tmp_path / "page.html", rows)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("✗ miss") == 4 and "http" not in page and "<script" not in page


@pytest.mark.parametrize("lab", labs(), ids=lambda lab: lab.short)
def test_the_full_run_goes_on_where_it_stopped(lab, tmp_path, monkeypatch):
    """Two challenges for each of two right answers, cut short after three."""
    monkeypatch.setattr(full, "ROOT", tmp_path)
    monkeypatch.setattr(full, "REPORTS", tmp_path / "docs")
    code = {entry.name: "a fingerprint" for entry in load(lab.short)}
    monkeypatch.setattr(full, "fingerprints", lambda lab: dict(code))
    monkeypatch.setattr(full, "ROUNDS", 2)
    tasks = [task for task in plan(lab, 2) if task.mutant.right][:2]
    monkeypatch.setattr(full, "targets", lambda lab, right, wrong: tasks)
    monkeypatch.setattr(full, "work", lambda missing, jobs, deadline: ((p, row_of(p), 0.5) for p in missing[:3]))
    full.long_run(lab, None, None, 1, None)
    first = json.loads((tmp_path / "docs" / f"{lab.short}.json").read_text(encoding="utf-8"))
    assert first["challenges"] == 3 and first["planned"] == 4 and first["made"].startswith("Not complete, 75%")
    asked = []
    monkeypatch.setattr(
        full, "work", lambda missing, *_: asked.extend(missing) or ((p, row_of(p), 0.5) for p in missing)
    )
    rows = full.long_run(lab, None, None, 1, None)
    assert len(asked) == 1 and asked[0].first == 1
    assert [row.challenges for row in rows if row.challenges] == [2, 2] and all(
        row.ok for row in rows if row.challenges
    )
    assert "Complete: 4 challenges" in (tmp_path / "docs" / f"{lab.short}.md").read_text(encoding="utf-8")
    # A fresh clone has no journal: it goes on from the report, if that was made with the same code.
    (tmp_path / "build" / "validate" / f"{lab.short}.jsonl").unlink()
    again, asked[:] = full.long_run(lab, None, None, 1, None), []
    assert [(row.challenges, row.good, row.findings) for row in again] == [
        (row.challenges, row.good, row.findings) for row in rows
    ]
    full.long_run(lab, None, None, 1, None)
    assert not asked
    # Here the journal begins where the report ends.
    monkeypatch.setattr(full, "targets", lambda lab, right, wrong: [replace(task, challenges=3) for task in tasks])
    monkeypatch.setattr(full, "ROUNDS", 3)
    for times in (2, 0):
        full.long_run(lab, None, None, 1, None)
        assert [piece.first for piece in asked] == [2] * times
        asked.clear()
    code[tasks[0].mutant.exercise] = "another fingerprint"
    full.long_run(lab, None, None, 1, None)
    assert len(asked) == 6


def test_a_fingerprint_depends_on_the_code_that_decides_and_on_nothing_else(monkeypatch):
    """Change one source at a time, and compare all fingerprints."""
    parse = fingerprint_module.parse

    def changed(old: str, new: str) -> set[str]:
        found = []

        def parse_changed(source: str):
            found.append(old in source)
            return parse(source.replace(old, new))

        monkeypatch.setattr(fingerprint_module, "parse", parse_changed)
        fingerprint_module.read.cache_clear()
        after = {name for lab in labs() for name, code in fingerprints(lab).items() if code != before[name]}
        monkeypatch.setattr(fingerprint_module, "parse", parse)
        fingerprint_module.read.cache_clear()
        assert any(found), f"{old} is in no source"
        return after

    before = {name: code for lab in labs() for name, code in fingerprints(lab).items()}
    assert len(set(before.values())) == len(before)
    assert changed("LARGEST, MOST_AXES = 2**20, 8", "LARGEST, MOST_AXES = 2**20, 9") == set(before)
    assert "lab1.guided_step" in (touched := changed("BETA_MAX", "B_MAX"))  # in utils/vp.py
    assert not [name for name in touched if name.startswith("lab4")]
    answer = answers_of(labs()[-1])["lab4.cfg_drift"].splitlines()[-3].strip()
    assert changed(answer, "pass") == {"lab4.cfg_drift"}


def test_a_fingerprint_ignores_comments_docstrings_and_formatting():
    def dump(source):
        return ast.dump(fingerprint_module.parse(source))

    one = dump('"""A module."""\n\ndef f(x):\n    """A function."""\n    return [x,\n            1]  # a comment\n')
    assert one == dump("def f(x):\n    return [x, 1]\n") != dump("def f(x):\n    return [x, 2]\n")


def test_reports_are_carried_over_to_the_present_code(tmp_path):
    lab = labs()[-1]
    old = {
        "lab": lab.short,
        "made": "Complete",
        "marks": {"lab4.cfg_drift": "x"},
        "answers": [{"answer": "a", "good": 1}],
    }
    (tmp_path / f"{lab.short}.json").write_text(json.dumps(old), encoding="utf-8")
    renew_fingerprints(tmp_path)
    new = json.loads((tmp_path / f"{lab.short}.json").read_text(encoding="utf-8"))
    assert new.pop("fingerprints") == fingerprints(lab) and "marks" not in new
    assert new == {key: value for key, value in old.items() if key != "marks"}


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
    assert chance_of_refusal([MatrixRow("a", "x", True, 1, false_alarm=1e-7), MatrixRow("a", "y", True, 1)]) == {
        "a": 1e-7
    }
