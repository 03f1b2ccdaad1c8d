"""The kill matrix compares check and grader, challenges among each other, and numbers inside a message."""

from __future__ import annotations

import importlib

import pytest

from autograder.course import solved
from autograder.exercises.kits.mutants import Mutant
from autograder.printing import print_matrix
from autograder.validation import kill_matrix
from autograder.validation.equal_numbers import equal_pairs
from autograder.validation.honesty import (
    assess_honesty,
    check_in_words,
    mistakes_by_finding,
    summary_of,
    with_unhelpful_findings,
)
from autograder.validation.kill_matrix import MatrixRow, MatrixTask, row_of
from autograder.validation.report import write_page, write_report
from utils.checks.exercise import Exercise

NAME = "lab4.cfg_drift"  # a place for the exercise that these tests make up
judge_module = importlib.import_module("autograder.judging.judge")


def probe(student, challenge, evidence):
    """Ask for the doubles of three numbers, and for that of one that depends on the challenge."""
    double = student.function("double", "x")
    for x in (0, 2, 100, luck(challenge)):
        with evidence.attempt(str(x)):
            evidence.put(f"{x}/value", float(double(x)))


def luck(challenge):
    """Return 2 or 7."""
    return 7 if challenge.key[0] % 2 else 2


def check(judge):
    """See only 0 and 2, and look at the size of 100 only."""
    with judge.part("double", 2):
        judge.require(judge.value("2/value", float) == 4, "wrong_double", "Your result is not twice the number.")


def verdict(judge):
    """See everything; the double of 0 is worth half."""
    with judge.part("zero", 1):
        judge.require(judge.value("0/value", float) == 0, "wrong_zero", "Twice nothing is nothing.")
    with judge.part("double", 1):
        judge.require(judge.value("2/value", float) == 4, "wrong_double", "Your result is not twice the number.")
        y = judge.value("100/value", float)
        judge.require(y == 200, "clipped", f"At x = 100 it should be 200, and yours is {y:.0f}.")
        x = luck(judge.challenge)
        judge.require(judge.value(f"{x}/value", float) == 2 * x, "unlucky", "A number is treated in a special way.")


@pytest.fixture
def made_up(monkeypatch):
    """Put the exercise in place of one of lab 4, and return a function that makes the row of an answer to it."""
    entry = Exercise(NAME, "Twice", 2, ("double",), probe, check)
    for module in (kill_matrix, solved):
        monkeypatch.setattr(module, "find", lambda name: entry)
    monkeypatch.setattr(judge_module, "find_verdict", lambda entry: verdict)

    def row(name, body, *finds, rate=1.0, right=False, challenges=8, first=0):
        mutant = Mutant(NAME, name, right, finds, source=f"def double(x):\n    return {body}\n", rate=rate)
        return row_of(MatrixTask("lab4", mutant, challenges, first))

    return row


def test_check_and_points_have_columns(made_up):
    row = made_up("square", "x * x", "clipped", "unlucky")
    assert row.check_passes and not row.check and row.points == {"1": 8} and row.most_points == 2
    assert check_in_words(row) == "check: passes; 1 of 2 points"
    row = made_up("thrice", "3 * x", "wrong_double")
    assert row.ok and row.check == ["wrong_double"] and check_in_words(row) == "check: wrong_double; 1 of 2 points"
    assert made_up("sum", "x + x", right=True).ok


def test_a_check_that_passes_and_a_grader_that_gives_0_are_a_miss(made_up):
    row = made_up("only_two", "4 if x == 2 else 1", "wrong_zero")
    assert row.misses == ["the check passes, and the grader gives 0 of 2 points"]


def test_a_message_that_tells_equal_numbers_apart_is_a_miss(made_up):
    row = made_up("almost", "x + x + (x == 100) * 0.3", "clipped")
    assert row.misses == ["clipped tells two numbers apart that look equal: 200, and yours is 200"]


def test_luck_of_the_challenge_is_a_miss_unless_a_rate_is_declared(made_up):
    row = made_up("not_seven", "2 * x if x != 7 else 0", "unlucky")
    assert 0 < row.caught < row.challenges and len(row.points) == 2
    [miss] = [miss for miss in row.misses if "no rate is declared" in miss]
    assert f"1 points in {row.points['1']}, 2 points in {row.points['2']} of 8 challenges" in miss
    assert made_up("not_seven", "2 * x if x != 7 else 0", "unlucky", rate=0.1).ok


def test_luck_between_the_pieces_of_a_long_run_is_a_miss():
    whole = MatrixRow(NAME, "x", False, 1, caught=1, points={"1": 1}, most_points=2)
    assess_honesty(whole)
    assert whole.ok
    whole.add(MatrixRow(NAME, "x", False, 1, caught=1, points={"0": 1}, most_points=2))
    assess_honesty(whole)
    assess_honesty(whole)
    assert (
        whole.points == {"0": 1, "1": 1}
        and len(whole.misses) == 1
        and "0 points in 1, 1 points in 1" in whole.misses[0]
    )


@pytest.mark.parametrize(
    "message",
    [
        "The loss should be 1.273, and yours is 1.273.",
        "At w = 3.19 yours is the result for w = 3.19.",
        "You draw 25% where the text asks for more, but 25% is needed.",
        "Your mean is 0.5 instead of 0.50.",
        "The shape is (4, 1), expected (4,1).",
        "It should be -1e-3, and yours is -0.001.",
    ],
)
def test_two_equal_numbers_are_seen(message):
    assert equal_pairs(message)


@pytest.mark.parametrize(
    "message",
    [
        "The loss should be 1.273, and yours is 1.274.",
        "At t = 1 it should be 1, and yours is 3.",
        "At w = 3.19 yours is the result for w = 2.19.",
        "The result has shape (4, 4), expected (4, 1).",
        "Yours is 0 at t = 0, but the score is needed.",
        "You call the network 2 times. It should be 2.5 times.",
        "The loss is 3. Yours is 3 times too large.",
        "The formula gives 3: yours is 3 times that.",
        "The first 2 and the last 2 samples share a draw.",
        "x1 and x1 are not the same as lab4.2 and 4.2",
        "The weight of w is 1, so the weights do not add up to 1.",
        "At step 2 it should be 2.",
        "The factor is sqrt(1 - alpha²), not 1 - alpha.",
    ],
)
def test_other_numbers_are_not(message):
    assert not equal_pairs(message)


def rows_of(*found):
    """Return rows of wrong answers: name, findings of the check, findings of the grader."""
    return [
        MatrixRow(
            NAME, name, False, 1, caught=1, check_passes=False, check=list(public), findings=dict.fromkeys(hidden, 1)
        )
        for name, public, hidden in found
    ]


def test_one_finding_for_many_mistakes_is_a_miss():
    rows = rows_of(
        *((code, ("wrong",), (code,)) for code in ("sign", "size", "shift", "size")),
        ("named", ("wrong",), ("sign", "wrong")),
        ("two", ("wrong", "shape"), ("shape", "size")),
    )
    assert mistakes_by_finding(rows) == {"wrong": ["sign", "size", "shift", "wrong"], "shape": ["shape"]}
    [miss] = [row for row in with_unhelpful_findings(rows) if not row.ok]
    assert miss.name == "check: wrong" and "for 4 mistakes: shift, sign, size, wrong" in miss.misses[0]
    other = [MatrixRow("lab4.other", "y", False, 1)]
    assert [row.name for row in with_unhelpful_findings(rows + other)][-2:] == ["check: wrong", "y"]
    assert all(row.ok for row in with_unhelpful_findings(rows[:3]))


def test_the_summary_counts_and_lists(made_up, capsys, tmp_path):
    rows = [
        made_up("square", "x * x", "clipped", "unlucky"),
        made_up("only_two", "4 if x == 2 else 1", "wrong_zero"),
        made_up("not_seven", "2 * x if x != 7 else 0", "unlucky"),
        made_up("sum", "x + x", right=True),
    ]
    print_matrix(rows)
    said = capsys.readouterr().out
    wanted = "2 misses, 1 'check passes, grader gives 0', 1 that depend on the challenge without a rate"
    assert summary_of(rows) == wanted and f"4 answers, {wanted}\n" in said
    assert "(check: passes; 1 of 2 points)" in said and "the check passes, and points are lost: square (" in said
    write_page(tmp_path / "page.html", rows)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert wanted.replace("'", "&#39;") in page and "1 of 2" in page and "<h3>The check passes" in page
    write_report(tmp_path, "lab4", rows, {"made": "Complete"}, {})
    report = (tmp_path / "lab4.md").read_text(encoding="utf-8")
    assert wanted in report and "- lab4.cfg_drift, `square`: clipped" in report
    assert "check_messages" not in (tmp_path / "lab4.json").read_text(encoding="utf-8")
