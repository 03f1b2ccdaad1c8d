"""More time for single students: the table, and what nbgrader makes of it. Times with an unknown zone are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import ROOT
from autograder.cli import main
from autograder.course.labs import find_lab
from autograder.gradebook.extensions import check_extensions, extension_of, read_extensions
from autograder.gradebook.nbgrader_steps import Extensions
from autograder.gradebook.staging import stage_student
from autograder.intake.bounded_reading import Reader
from autograder.judging.class_run import StudentRun
from autograder.judging.grade import Grade
from tests.intake.archives import notebook

LAB, OTHER = find_lab("lab4"), find_lab("lab3")
DUE = "2026-11-30 23:59:00 UTC"


def table(folder, *lines, head="student,lab,extension"):
    """Write a table of extensions and return its path."""
    path = folder / "extensions.csv"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def url(tmp_path, quick_gradebook):
    """The address of a gradebook in which ada and 00123 have submitted lab 4 half a day late."""
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    with Gradebook(url) as book:
        book.add_assignment(LAB.name, duedate=DUE)
        for student in ("ada", "00123"):
            book.add_student(student)
            book.add_submission(LAB.name, student, timestamp="2026-12-01 12:00:00 UTC")
    return url


def seconds_late(url, student, path):
    """Let the preprocessor apply a table as `nbgrader autograde` does, and return how late the submission is then."""
    facts = {"nbgrader": {"db_url": url, "assignment": LAB.name, "student": student}}
    Extensions(table=str(path)).preprocess(nbformat.v4.new_notebook(), facts)
    with Gradebook(url) as book:
        return book.find_submission(LAB.name, student).total_seconds_late


ENOUGH = ["48", "48 h", "12.5 hours", "+24", "2026-12-01 12:00:00 UTC", "2026-12-01T04:00:00-0800"]
ENOUGH += ["2026-12-01 13:00 Europe/Berlin", "2026-12-01 12:00Z"]


def test_a_student_with_enough_time_is_not_late_and_nobody_else_gains(tmp_path, url):
    for number, extension in enumerate(ENOUGH):
        path = table(tmp_path, f"ada,{('lab4', LAB.name, '')[number % 3]},{extension}")
        assert seconds_late(url, "ada", path) == 0, extension
        assert seconds_late(url, "00123", path) == 43260
    with Gradebook(url) as book:
        stamp = book.find_submission(LAB.name, "ada").timestamp
    assert stamp == datetime(2026, 12, 1, 12), "the time of submission is as it was"


def test_too_little_time_shortens_the_delay(tmp_path, url):
    assert seconds_late(url, "00123", table(tmp_path, "00123,lab4,1")) == 43260 - 3600


def test_a_removed_row_takes_the_extension_back_and_a_removed_table_does_not(tmp_path, url):
    path = table(tmp_path, "ada,,48")
    assert seconds_late(url, "ada", path) == 0
    path.unlink()
    assert seconds_late(url, "ada", path) == 0
    assert seconds_late(url, "ada", table(tmp_path, "00123,,48")) == 43260


def test_the_row_of_the_lab_counts_before_that_of_all_labs(tmp_path):
    rows, problems = read_extensions(table(tmp_path, "ada,lab4,1", "ada,lab3,2", "ada,,3", "ben,,4", "ben,,5"))
    assert not problems
    hours = {
        (student, lab.short): extension_of(rows, student, lab).time / timedelta(hours=1)
        for student in ("ada", "ben")
        for lab in (LAB, OTHER, find_lab("lab1"))
    }
    assert [hours[("ada", lab)] for lab in ("lab4", "lab3", "lab1")] == [1, 2, 3]
    assert {hours[("ben", lab)] for lab in ("lab4", "lab3", "lab1")} == {5}
    assert extension_of(rows, "chi", LAB) is None


BAD = {
    "ada,lab4,soon": "'soon' is neither hours",
    "ada,lab4,2026-12-01 12:00 PST": "the time zone 'PST' cannot be resolved",
    "ada,lab4,2026-12-01 12:00": "needs a zone",
    "ada,lab4,2026-12-01": "needs a zone",
    "ada,lab4,-5": "neither hours",
    "ada,lab4,Friday 12:00 UTC": "neither hours",
    "ada,lab4,2026-13-01 12:00 UTC": "neither hours",
    "ada,lab4,": "neither hours",
    "ada,lab9,48": "there is no lab 'lab9'",
    ",lab4,48": "it names no student",
}


@pytest.mark.parametrize("row", BAD)
def test_a_row_that_cannot_be_used_is_named_and_the_others_count(tmp_path, row):
    rows, problems = read_extensions(table(tmp_path, row, "", "ben,,48", head="\ufeffStudent,Lab,Extension,Reason"))
    assert [entry.student for entry in rows] == ["ben"]
    assert len(problems) == 1 and "line 2" in problems[0] and BAD[row] in problems[0] and "\n" not in problems[0]


@pytest.mark.parametrize("text", ["", "student;lab;extension\nada;;48\n", "\0", "name,hours\nada,48\n"])
def test_a_table_that_cannot_be_read_is_named(tmp_path, url, text):
    path = tmp_path / "extensions.csv"
    path.write_text(text)
    assert seconds_late(url, "ada", path) == 43260
    rows, problems = read_extensions(path)
    assert not rows and len(problems) == 1 and "No extension was applied" in problems[0]


def test_what_has_no_effect_is_named(tmp_path, url):
    path = table(tmp_path, "adda,lab4,48", "ada,lab4,2026-11-29 12:00 UTC", "elsewhere,,48", "zoe,lab3,48")
    with Gradebook(url) as book:
        problems = check_extensions(book, path, LAB, ["ada", "00123"])
        assert len(problems) == 2, problems
        assert "line 2: no submission of lab4_mnist_cfg is from 'adda'" in problems[0]
        assert "line 3, gives no time: it is not after the due date, 2026-11-30 23:59:00 UTC" in problems[1]
        book.find_assignment(LAB.name).duedate = None
        assert "has no due date" in check_extensions(book, path, LAB, ["ada"])[0]
        book.db.commit()
    assert seconds_late(url, "ada", table(tmp_path, "ada,,48")) == 0


def test_the_help_documents_the_table(capsys):
    main(["grade", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "COURSE/extensions.csv" in said and "student, lab (empty: all labs) and extension" in said


@pytest.mark.parametrize(
    ("text", "staged", "words"),
    [
        ("2026-11-30 21:14:00 PST", None, "the time zone 'PST' cannot be resolved"),
        ("2026-11-30 21:14:00 CEST", None, "the time zone 'CEST' cannot be resolved"),
        ("yesterday", None, "holds no time"),
        ("2026-11-30 21:14:00 -0800", "2026-12-01 05:14:00.000000 UTC", ""),  # nbgrader takes it for 800 seconds
        ("2026-11-30 21:14:00.5 Europe/Berlin", "2026-11-30 20:14:00.500000 UTC", ""),
        ("2026-11-30 21:14:00", "2026-11-30 21:14:00.000000 UTC", ""),
    ],
)
def test_a_submission_time_is_in_utc_or_refused(tmp_path, text, staged, words):
    own = tmp_path / "submitted" / "ada" / LAB.name
    own.mkdir(parents=True)
    (own / "x.ipynb").write_bytes(notebook())
    (own / "timestamp.txt").write_text(text)
    with Reader() as reader:
        entry = StudentRun("ada", own / "x.ipynb", grade=Grade(LAB.name, "a release", verdicts={}, manual={}))
        problems = stage_student(LAB, entry, tmp_path / "staged", reader)
    written = tmp_path / "staged" / "ada" / LAB.name / "timestamp.txt"
    assert (written.read_text().strip() if written.exists() else None) == staged
    if words:
        assert words in problems[0] and "no late penalty applies" in problems[0].lower()
    else:
        assert problems == []


@pytest.mark.slow
@pytest.mark.parametrize(("zone", "due"), [("PST", None), ("-0800", datetime(2026, 12, 1, 7, 59, tzinfo=UTC))])
def test_nbgraders_own_command_refuses_a_due_date_with_an_unknown_zone(tmp_path, zone, due):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "nbgrader",
            "db",
            "assignment",
            "add",
            LAB.name,
            f"--duedate=2026-11-30 23:59 {zone}",
        ],
        cwd=ROOT,
        env=os.environ | {"LAB_COURSE": str(tmp_path), "LAB_GRADEBOOK": ""},
        capture_output=True,
        text=True,
    )
    if due is None:
        assert done.returncode == 1 and "the time zone 'PST' cannot be resolved" in done.stderr
        assert "Traceback" not in done.stderr
    else:
        with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
            assert book.find_assignment(LAB.name).duedate.replace(tzinfo=UTC) == due
