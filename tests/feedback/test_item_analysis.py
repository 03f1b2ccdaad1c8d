"""Item analysis: the textbook's numbers, a reason where there is no number, and blank submissions counted once."""

from __future__ import annotations

import csv
import io
import math

import pytest
from bs4 import BeautifulSoup

from autograder.feedback.class_report import write_page
from autograder.feedback.item_analysis import common_findings, discrimination, item_analysis, items_csv
from tests.feedback.made_class import EXERCISES, NAMES, NOT_ANSWERED, blank, class_report, student
from utils.checks.judging import Finding


def textbook(x, y):
    """Return Pearson's correlation, written out."""
    n = len(x)
    above = n * sum(a * b for a, b in zip(x, y)) - sum(x) * sum(y)
    return above / math.sqrt((n * sum(a * a for a in x) - sum(x) ** 2) * (n * sum(b * b for b in y) - sum(y) ** 2))


def test_difficulty_and_discrimination_are_those_of_the_textbook():
    scores = [(3, 4, 3, 2, 2), (3, 1.5, 3, 0, 2), (0, 0, 3, 2, 2), (1.5, 0, 3, 1, 0), (0, 4, 3, 0, 1)]
    rows = item_analysis(EXERCISES, [student(f"s{i}", points) for i, points in enumerate(scores)])
    assert [row["exercise"] for row in rows] == NAMES
    assert rows[0]["difficulty"] == pytest.approx((3 + 3 + 0 + 1.5 + 0) / 5 / EXERCISES[0].points)
    for i, row in enumerate(rows):
        item, rest = [s[i] for s in scores], [sum(s) - s[i] for s in scores]
        if i == 2:
            assert row["discrimination"] is None and row["undefined"] == "all earned the same points here"
        else:
            assert row["discrimination"] == pytest.approx(textbook(item, rest)), row["exercise"]
    with_itself = textbook([s[0] for s in scores], [sum(s) for s in scores])
    assert rows[0]["discrimination"] != pytest.approx(with_itself), "the item is not part of the rest"


def test_an_undefined_discrimination_has_a_reason():
    assert discrimination([1], [2]) == (None, "fewer than two submissions were graded")
    assert discrimination([1, 2], [0.1 + 0.2, 0.3]) == (None, "all earned the same points in the other exercises")
    assert discrimination([1, 2], [3, 4])[0] == pytest.approx(1)


def test_blank_submissions_count_once_and_not_in_the_exercises():
    eta = {NAMES[1]: [Finding("eta_inverted", "You keep labels, chi.")]}
    unfinished = student("eli", [3, 4, 3, 2, 0], {NAMES[4]: [NOT_ANSWERED]})
    graded = [blank("ada"), blank("ben"), student("chi", [3, 0, 3, 2, 2], eta), unfinished]
    rows = common_findings(EXERCISES, graded, most=12)
    assert [(row["code"], row["exercise"], row["students"]) for row in rows] == [
        ("blank_submission", "", 2),
        ("eta_inverted", NAMES[1], 1),
        ("not_implemented", NAMES[4], 1),
    ]
    assert rows[1]["message"] == "You keep labels, this student."
    by_exercise = {row["exercise"]: row for row in item_analysis(EXERCISES, graded)}
    assert by_exercise[NAMES[0]]["findings"] == [] and by_exercise[NAMES[0]]["none"] == 2
    assert [f["code"] for f in by_exercise[NAMES[4]]["findings"]] == ["not_implemented"]


def test_a_submission_whose_cells_failed_is_not_blank():
    missing = {name: [Finding("missing_name", "The notebook does not define `f`.")] for name in NAMES}
    assert student("ada", [0] * 5, missing).is_blank
    assert not student("ada", [0] * 5, missing, ["The cell of lab4.cfg_drift stopped with SyntaxError"]).is_blank
    assert not student("ada", [0] * 5, missing | {NAMES[0]: [Finding("raised", "Your code raised")]}).is_blank


def test_the_csv_has_a_row_for_each_exercise_and_says_what_is_undefined():
    graded = [student("ada", [3, 4, 3, 2, 2]), student("ben", [0, 0, 3, 2, 1], {NAMES[0]: [Finding("x", "y")] * 2})]
    document = {"graded": 2, "exercises": item_analysis(EXERCISES, graded)}
    rows = list(csv.DictReader(io.StringIO(items_csv(document))))
    assert [row["exercise"] for row in rows] == NAMES
    assert (rows[0]["difficulty"], rows[0]["discrimination"], rows[0]["findings"]) == ("0.500", "1.000", "x:1")
    assert rows[2]["discrimination"] == "undefined: all earned the same points here"


def test_the_page_shows_the_analysis(tmp_path):
    chi = student("chi", [0, 4, 3, 2, 2], {NAMES[0]: [Finding("sign", "<b> off")]})
    document = class_report([student("ada", [3, 4, 3, 2, 2]), blank("ben"), chi])
    page = BeautifulSoup(write_page(document, tmp_path / "page.html").read_text(), "html.parser")
    text = " ".join(page.get_text(" ").split())
    assert "mostly chance" in text and "Blank submissions count here (1)" in text
    cells = page.find("td", class_="wide").parent.find_all("td")
    assert cells[-2].text == "0.33" and "sign" in cells[0].text and "<b> off" in cells[0].text
