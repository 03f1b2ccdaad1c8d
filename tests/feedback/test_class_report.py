"""The class report: its numbers add up, it keeps names secret where it is asked to, and it says who needs a person."""

import csv
import dataclasses
import io
import json
import shutil
from pathlib import Path

import pytest

from autograder.cli import main
from autograder.feedback.class_report import report, write_page
from autograder.judging.class_run import judge_class, open_class
from tests.lab4_class import LOSS
from utils.checks.judging import Finding

pytestmark = pytest.mark.usefixtures("needs_bubblewrap")


@pytest.fixture(scope="module")
def course(graded_class, tmp_path_factory):
    """A graded class of our own."""
    return shutil.copytree(graded_class, tmp_path_factory.mktemp("report") / "course")


def add_problem(student_run, line):
    """Add a problem to a student's grade."""
    student_run.grade = dataclasses.replace(student_run.grade, problems=(*student_run.grade.problems, line))


def test_report_adds_up(course, lab4, capsys):
    capsys.readouterr()
    assert main(["report", lab4.name, "--course", str(course), "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert (page["submissions"], page["graded"], page["max_points"], page["manual_max_points"]) == (4, 3, 14, 4)
    assert [(b["points"], b["students"]) for b in page["distribution"] if b["students"]] == [(10, 1), (14, 2)]
    assert page["points"] == {"mean": pytest.approx(38 / 3), "median": 14, "lowest": 10, "highest": 14}
    assert [f["code"] for f in page["findings"]] == ["eta_inverted"] and page["findings"][0]["students"] == 1
    assert [s["student"] for s in page["students"]] == ["student00", "student01", "student02", "zoe"]
    assert page["students"][3]["problems"] and page["students"][3]["points"] is None
    assert page["cost"]["total_cpu_seconds"] > 0 and page["cost"]["megabytes"]["highest"] > 50


def test_the_item_analysis_as_csv(course, lab4, capsys):
    capsys.readouterr()
    assert main(["report", lab4.name, "--course", str(course), "--items"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    loss = next(row for row in rows if row["exercise"] == LOSS)
    assert len(rows) == 5 and (loss["submissions"], loss["difficulty"], loss["findings"]) == (
        "3",
        "0.667",
        "eta_inverted:1",
    )
    assert loss["discrimination"] == "undefined: all earned the same points in the other exercises"
    assert main(["report", lab4.name, "--course", str(course), "--items", "--json"]) == 2
    assert "contradict" in capsys.readouterr().err


def test_report_without_names(course, lab4, tmp_path):
    out = tmp_path / "page.html"
    assert main(["report", lab4.name, "--course", str(course), "--anonymous", "--out", str(out)]) == 0
    page = out.read_text()
    assert "student00" not in page and "zoe" not in page and page.count("student-") >= 4
    assert main(["report", lab4.name, "--course", str(course), "--anonymous", "--out", str(out)]) == 0
    assert out.read_text() == page, "the same pseudonyms at every call"


def test_the_page_needs_nothing_else_and_escapes_everything(course, lab4, tmp_path):
    class_run = open_class(lab4, course / "submitted", course)
    judge_class(class_run)
    add_problem(class_run.students[0], "<script>alert(1)</script>")
    place = write_page(report(class_run), tmp_path / "report" / "page.html")
    page = place.read_text()
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
    assert "http://" not in page and "https://" not in page and "src=" not in page
    assert place.stat().st_mode & 0o077 == 0


def test_the_page_says_who_needs_a_person_and_leads_to_the_feedback(course, lab4, tmp_path, capsys):
    class_run = open_class(lab4, course / "submitted", course)
    judge_class(class_run)
    add_problem(class_run.students[0], "The cell of lab4.cfg_drift stopped with SyntaxError: `x` <b>")
    verdict = class_run.students[1].grade.verdicts["lab4.cfg_drift"]
    verdict.findings.append(Finding("needs_a_person", "The grader could not judge this part of your answer by itself."))
    document = report(class_run)
    look = {line["student"]: line["problems"] for line in document["look"]}
    assert list(look) == ["student00", "student01", "zoe"]
    assert look["student01"] == ["lab4.cfg_drift: the grader could not judge this answer by itself"]
    page = write_page(document, tmp_path / "report" / "page.html", course / "feedback").read_text()
    assert "SyntaxError: <code>x</code> &lt;b&gt;" in page
    assert f"feedback/student01/{lab4.name}/{lab4.name}.html" in page and "feedback/zoe" not in page
    assert main(["report", lab4.name, "--course", str(course)]) == 0
    assert main(["report", lab4.name, "--course", str(course), "--anonymous"]) == 0
    named, anonymous = map(Path, capsys.readouterr().out.split())
    link = f"../feedback/student01/{lab4.name}/{lab4.name}.html"
    assert f'href="{link}"' in named.read_text() and (named.parent / link).is_file()
    assert "feedback/" not in anonymous.read_text() and anonymous != named
