"""A graded class: regrading and the report."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from autograder.cli import main
from autograder.feedback.class_report import report, write_page
from autograder.gradebook import nbgrader
from autograder.gradebook.record import record_grades
from autograder.gradebook.staging import copy_to_submitted
from autograder.judging.class_run import judge_class, open_class, run_class
from tests.scale.conftest import make_class
from utils.checks.exercise import REGISTRY
from utils.checks.judging import Finding


def add_problem(student_run, line):
    student_run.grade = dataclasses.replace(student_run.grade, problems=(*student_run.grade.problems, line))


def test_a_new_attempt_brings_its_own_time_of_arrival(lab4, tmp_path):
    """An earlier attempt's time must not make the new one late."""
    course = tmp_path / "course"
    for attempt in ("first", "second"):
        make_class(tmp_path / attempt, lab4, 1, attempt)
    folder = tmp_path / "first" / "submitted" / "student00" / lab4.name
    (folder / "timestamp.txt").write_text("2026-12-01 00:00:00 UTC")
    target = course / "submitted" / "student00" / lab4.name
    copy_to_submitted(open_class(lab4, tmp_path / "first" / "submitted", course))
    assert (target / "timestamp.txt").read_text() == "2026-12-01 00:00:00 UTC"
    copy_to_submitted(open_class(lab4, tmp_path / "second" / "submitted", course))
    assert sorted(path.name for path in target.iterdir()) == [f"{lab4.name}.ipynb"]
    assert "second" in (target / f"{lab4.name}.ipynb").read_text()


# --- a graded class: regrade, report


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    from autograder.course.labs import find_lab
    from tests.scale.conftest import SECRET

    os.environ["LAB_SECRET"] = SECRET.decode()
    lab = find_lab("lab4")
    folder = make_class(tmp_path_factory.mktemp("course"), lab, 3)
    (folder / "submitted" / "zoe" / lab.name).mkdir(parents=True)
    (folder / "submitted" / "zoe" / lab.name / "zoe.ipynb").write_text("not a notebook")
    class_run = open_class(lab, folder / "submitted", folder)
    run_class(class_run, protected=True, workers=1)
    judge_class(class_run)
    assert record_grades(class_run, protected=True) == ([], True)
    return folder


def test_scores_and_comments_by_hand_survive_a_regrade(course, lab4):
    from nbgrader.api import Gradebook

    def book():
        return Gradebook(f"sqlite:///{course / 'gradebook.db'}", "guidance-labs")

    with book() as gradebook:
        grade = gradebook.find_grade("lab4_unet_essay", lab4.name, lab4.name, "student00")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.find_comment("lab4_unet_essay", lab4.name, lab4.name, "student00").manual_comment = "well said"
        gradebook.db.commit()
    before = {path: path.stat().st_mtime_ns for path in (course / "store").glob("*/*/run.json")}
    assert main(["regrade", lab4.name, "--course", str(course)]) == 0
    assert {path: path.stat().st_mtime_ns for path in (course / "store").glob("*/*/run.json")} == before
    with book() as gradebook:
        grade = gradebook.find_grade("lab4_unet_essay", lab4.name, lab4.name, "student00")
        assert grade.manual_score == 1.5 and not grade.needs_manual_grade, "nothing has changed: no second look"
        comment = gradebook.find_comment("lab4_unet_essay", lab4.name, lab4.name, "student00")
        assert comment.comment == "well said"
        assert gradebook.find_submission(lab4.name, "student00").score == 15.5
        assert gradebook.find_submission(lab4.name, "student01").score == 10


def test_who_is_no_longer_late_is_not_late(course, lab4):
    """Nbgrader keeps a time that it was told once."""
    from autograder.gradebook.nbgrader import open_gradebook

    stamp = course / "submitted" / "student01" / lab4.name / "timestamp.txt"

    def arrival():
        with open_gradebook(course) as book:
            return book.find_submission(lab4.name, "student01").timestamp

    stamp.write_text("2026-12-01 00:00:00 UTC")
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0
    assert arrival() is not None
    stamp.unlink()
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0
    assert arrival() is None


def test_a_regrade_runs_nothing_also_where_the_class_was_run_without_the_sandbox(lab4, tmp_path, monkeypatch):
    course = make_class(tmp_path, lab4, 1)
    assert main(["grade", lab4.name, "--course", str(course), "--sandbox", "none", "--no-feedback"]) == 0
    monkeypatch.setenv("PATH", str(tmp_path))  # no bubblewrap
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0


def test_two_runs_do_not_write_one_gradebook(course, lab4, capsys):
    with nbgrader.gradebook_lock(course):
        assert main(["regrade", lab4.name, "--course", str(course)]) == 2
    assert "another grading run is writing the grades" in capsys.readouterr().err
    with nbgrader.gradebook_lock(course):  # it was given back
        pass


def test_a_notebook_handed_in_anew_is_looked_at_again(course, lab4, capsys):
    """And a run that was killed between nbgrader and `restore_reviewed` loses no reviewed grade."""
    from autograder.gradebook.manual_grades import save_reviewed
    from autograder.gradebook.nbgrader import open_gradebook

    path = course / "submitted" / "student00" / lab4.name / f"{lab4.name}.ipynb"
    before = path.read_text()

    def waits(gradebook):
        return gradebook.find_grade("lab4_unet_essay", lab4.name, lab4.name, "student00").needs_manual_grade

    with open_gradebook(course) as gradebook:
        assert save_reviewed(gradebook, lab4.name, course, course / "store") and not waits(gradebook)
        gradebook.find_grade("lab4_unet_essay", lab4.name, lab4.name, "student00").needs_manual_grade = True
        gradebook.db.commit()
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0
    with open_gradebook(course) as gradebook:
        assert not waits(gradebook)
    path.write_text(before.replace("*Fourier features*", "*Waves of time*"))
    assert path.read_text() != before
    assert main(["regrade", lab4.name, "--course", str(course), "--no-feedback"]) == 0
    assert "submitted again after a person had graded them: student00" in capsys.readouterr().out
    with open_gradebook(course) as gradebook:
        assert waits(gradebook)
    path.write_text(before)


def test_stale_evidence_is_named_and_keeps_its_old_grade(course, lab4, monkeypatch, capsys):
    entry = REGISTRY["lab4.cfg_drift"]
    monkeypatch.setitem(REGISTRY, entry.name, dataclasses.replace(entry, version=entry.version + 1))
    assert main(["regrade", lab4.name, "--course", str(course)]) == 1
    said = capsys.readouterr().out
    assert f"lab4.cfg_drift (version {entry.version}, now {entry.version + 1})" in said
    assert "0 of 4 submissions graded" in said


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
