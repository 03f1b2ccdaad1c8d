"""Nothing of a student's reaches the line, the cell or the page of another student."""

from __future__ import annotations

import csv
import io
import unicodedata
from types import SimpleNamespace

import pytest

from autograder.course.labs import find_lab
from autograder.errors import BadArchive, ExportError
from autograder.exports.canvas import canvas_csv, filled_roster
from autograder.feedback.plain_page import plain_page
from autograder.gradebook.read_gradebook import GradebookRow, row_of
from autograder.gradebook.spreadsheets import csv_text, plain_csv, without_formula
from autograder.intake.collect import collect
from autograder.intake.collect_log import CollectLog
from autograder.intake.find_collected import nbgrader_id
from autograder.intake.lms.worksheets import read_worksheet
from autograder.intake.names import student_id
from autograder.judging import judge as judging
from autograder.text import one_line
from tests.intake.archives import archive, marks, notebook
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import find
from utils.checks.judging import Finding, Verdict

LAB = find_lab("lab4")
FORMULA = '=HYPERLINK("https://example.org","grade")'
BEFORE = {
    "nothing": "", "a blank": " ", "a tab": "\t", "a vertical tab": "\x0b", "a form feed": "\x0c", "a line end": "\n",
    "a return": "\r", "a null": "\x00", "no-break space": "\xa0", "wide space": "\u3000", "no width": "\u200b",
    "a joiner": "\u200d", "a byte order mark": "\ufeff", "a word joiner": "\u2060", "soft hyphen": "\xad",
    "right to left": "\u202e", "a line separator": "\u2028", "a quote": '"', "an apostrophe": "'", "a curly quote": "“",
    "next line": "\x85", "several": ' \u200b"\ufeff\t',
}  # fmt: skip


@pytest.mark.parametrize("sign", "=+-@＝＋－＠")
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_no_cell_is_a_formula_whatever_stands_before_it(before, sign):
    cell = without_formula(f"{before}{sign}1+1")
    assert (cell[0] == "'" and cell[1] != "'") or cell.startswith("''"), repr(cell)


@pytest.mark.parametrize("between", [";", "\t", "\n", "\r\n", "; ", ";\u200b", "|"])
def test_no_part_of_a_cell_becomes_a_formula_where_the_separator_is_another(between):
    assert f"{between[0]}'" in without_formula(f"Ada{between}=1+1")


@pytest.mark.parametrize("honest", ["-1.5", "Ada Lovelace", "O'Brien, Ben", "1", "", "Jean-Luc", "a@uni.edu", "x; y"])
def test_an_honest_cell_stays_as_it_is(honest):
    assert without_formula(honest) == honest


def row(student, name="", email=""):
    """Return a row of a student with two points."""
    return GradebookRow(student, name or student, email, {"lab4.cfg_drift": 2.0}, 0.0, 14.0)


def test_no_file_for_a_spreadsheet_has_a_formula(tmp_path):
    """Also the gradebook of Canvas that is filled in: students choose their names there."""
    rows = [row(f"+{FORMULA}", f"\u200b{FORMULA}", f" {FORMULA}")]
    roster = tmp_path / "roster.csv"
    table = [
        ["Student", "ID", "SIS Login ID", "Section"],
        [f"\ufeff{FORMULA}", "1", "ada", "="],
        ["-x", "2", "@y", "s"],
    ]
    with roster.open("w", newline="") as file:
        csv.writer(file).writerows(table)
    for text in (plain_csv(LAB, rows), canvas_csv(rows, FORMULA), filled_roster(roster, rows, FORMULA)[0]):
        for line in csv.reader(io.StringIO(text)):
            for cell in line:
                assert without_formula(cell) == cell or cell.startswith("'"), cell
                assert cell.lstrip(" \u200b\ufeff\"'")[:1] not in tuple("=+@") or cell.startswith("'"), cell


HOSTILE_NAMES = {
    "a line": "Eve\nAda Lovelace  14 / 14",
    "a return": "Eve\rAda",
    "a line separator": "Eve\u2028Ada",
    "next line": "Eve\x85Ada",
    "colours": "\x1b[32mEve\x1b[0m",
    "right to left": "Eve\u202eadA",
    "an isolate": "Eve\u2066Ada\u2069",
    "no width": "E\u200bve",
    "a byte order mark": "\ufeffEve",
    "a soft hyphen": "E\xadve",
    "tags": "Eve\U000e0041",
    "a mark": "Eve\u200f",
    "a filler": "Eve\u3164",
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_name_is_one_line_of_visible_characters(name):
    student = SimpleNamespace(id="eve", last_name=name, first_name=name, email=name)
    submission = SimpleNamespace(
        student=student, notebooks=[], late_submission_penalty=0, max_score=14.0, extension=None
    )
    found = row_of(submission, LAB)
    for text in (found.name, found.email, one_line(name), student_id(name), nbgrader_id(name, False)):
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp") for c in text), ascii(text)
        assert "\u3164" not in text


def test_a_finding_is_one_line(monkeypatch):
    """A class `WrongSignature` with a message of its own could write the lines of other students into the table."""
    entry = find("lab4.cfg_drift")
    forged = Verdict(0.0, 3.0, [Finding("x\ny", "wrong\nada  14 / 14\r\x0b\u2028\x1b[2J\u202e")], faults=["a\nb"])
    monkeypatch.setattr(judging, "judge_with", lambda *_: forged)
    verdict = judging.judge(entry, Challenge(entry.name, b"x" * 32), Evidence(entry.name))
    assert verdict.findings == [Finding("x y", "wrong ada  14 / 14")] and verdict.faults == ["a b"]


def test_a_plain_page_has_nothing_but_text(tmp_path):
    hostile = "<script>alert(1)</script>"
    made = GradebookRow(hostile, hostile, hostile, {}, 0.0, 14.0, comments={"lab4.cfg_drift": hostile})
    page = plain_page(LAB, made, tmp_path)
    assert "<script" not in page and page.count("&lt;script") >= 3 and "default-src 'none'" in page


@pytest.mark.parametrize("digits", [5000, 30])
def test_a_number_without_end_in_a_file_name_costs_nobody_else_anything(tmp_path, digits):
    files = {
        f"eve_1_2_x-{'9' * digits}.ipynb": notebook("eve"),
        f"{'9' * digits}_{'9' * digits}_{'9' * digits}_x.ipynb": notebook("none"),
        "ada_3_4_x.ipynb": notebook("ada"),
    }
    result = collect(archive(tmp_path / "s.zip", files), tmp_path / "in", LAB)
    assert marks(tmp_path / "in")["ada_3"] == "ada" and marks(tmp_path / "in")["eve_1"] == "eve"
    assert len(result.skipped) == 1


TABLES = {
    "no text": b"\xff\xfe\x00\x01",
    "a field without end": b'Identifier,"' + b"x" * 300_000,
    "null bytes": b"Identifier,Last modified (submission)\n\x00\x00,\x00",
    "too many columns": b"Identifier,Last modified (submission)" + b",x" * 6000 + b"\n1,-",
    "empty": b"",
    "ragged": b"Identifier\n1,2,3,4\n\n5",
}


@pytest.mark.parametrize("data", TABLES.values(), ids=TABLES)
def test_a_hostile_table_is_rejected_with_one_sentence(tmp_path, data):
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    for error, read in (
        (BadArchive, lambda: read_worksheet(path, CollectLog())),
        (ExportError, lambda: filled_roster(path, [row("ada")], "x")),
    ):
        with pytest.raises(error, match=r"table\.csv") as rejected:
            read()
        assert "\n" not in str(rejected.value)


def test_a_table_is_quoted_so_that_it_can_be_read_again():
    table = [["a,b", 'c"d', "e\nf"], ["", " x ", "ü"]]
    assert list(csv.reader(io.StringIO(csv_text(table)))) == table
