"""What a class predicted: read from the notebooks as students leave them, counted, and shown beside what happened."""

import csv
import io
import statistics

import nbformat
import pytest

from autograder.course.labs import find_lab
from autograder.feedback.class_predictions import class_predictions
from autograder.feedback.class_report import report, write_page
from autograder.feedback.item_analysis import items_csv
from autograder.intake.predictions import choices_of
from autograder.judging.class_run import open_class
from tests.lab4_class import make_class

LAB = find_lab("lab4")


def notebook(*sources):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


@pytest.mark.parametrize(
    ("source", "choice"),
    [
        ('predict("lab4.hundred", choice="c")', "c"),
        ("predict('lab4.hundred', 'A')", "a"),
        ('from utils.predictions import predict\n\npredict("lab4.hundred",choice = "b")', "b"),
        ('predict("lab4.hundred", choice="")', None),
        ('predict("lab4.hundred", choice="z")', None),
        ('predict("lab1.by_eye", choice="c")', None),
        ('predict("lab4.nothing", choice="c")', None),
        ("predict(" * 200_000, None),
    ],
    ids=[
        "as released",
        "by position",
        "with its import",
        "empty",
        "no such choice",
        "another lab",
        "unknown",
        "hostile",
    ],
)
def test_a_choice_is_read_from_its_cell(source, choice):
    assert choices_of(notebook("x = 1", source), LAB) == ({"lab4.hundred": choice} if choice else {})


def test_counts_and_shares():
    made = [{"lab4.hundred": "c"}, {"lab4.hundred": "a"}, {"lab4.hundred": "c", "lab4.arrows_late": "b"}, {}]
    seen, hundred = class_predictions(LAB, made)
    assert (seen["name"], seen["made"], hundred["name"], hundred["made"]) == ("lab4.arrows_late", 1, "lab4.hundred", 3)
    assert [choice["students"] for choice in hundred["choices"]] == [1, 0, 2]
    assert hundred["right"] == pytest.approx(2 / 3) and hundred["choices"][2]["happens"]
    assert class_predictions(LAB, [{}, {}]) == []


def test_a_prediction_is_an_item():
    """A right choice against the points: Pearson's correlation, of the students who chose and have a grade."""
    chosen = [{"lab4.hundred": letter} for letter in "ccab"] + [{}, {"lab4.hundred": "c"}]
    (row,) = class_predictions(LAB, chosen, [14, 10, 3, 7, 99, None])
    right, points = [1, 1, 0, 0], [14, 10, 3, 7]
    assert row["discrimination"] == pytest.approx(statistics.correlation(right, points))
    (same,) = class_predictions(LAB, chosen[:2], [1, 2])
    assert (same["discrimination"], same["undefined"]) == (None, "all chose alike")
    table = list(csv.DictReader(io.StringIO(items_csv({"graded": 6, "exercises": [], "predictions": [row, same]}))))
    assert [one["exercise"] for one in table] == ["prediction lab4.hundred"] * 2
    assert (table[0]["submissions"], table[0]["difficulty"], table[0]["findings"]) == ("5", "0.600", "a:1 b:1 c*:3")
    assert table[0]["max_points"] == table[0]["mean_points"] == "" and table[1]["discrimination"].startswith(
        "undefined"
    )


def test_the_report_shows_what_students_left_in_their_notebooks(tmp_path):
    course = make_class(tmp_path, 2)
    for number, choice in enumerate("ca"):
        path = course / "submitted" / f"student{number:02d}" / LAB.name / f"{LAB.name}.ipynb"
        submitted = nbformat.read(path, 4)
        submitted.cells.insert(3, nbformat.v4.new_code_cell(f'predict("lab4.hundred", choice="{choice}")'))
        nbformat.write(submitted, path)
    document = report(open_class(LAB, course / "submitted", course))
    assert [choice["students"] for choice in document["predictions"][0]["choices"]] == [1, 0, 1]
    page = write_page(document, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What the class predicted" in page and "50 % <b>A ruined picture</b>" in page
