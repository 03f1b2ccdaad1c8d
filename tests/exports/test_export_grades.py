"""Grades out of the gradebook: what a spreadsheet, Canvas and Gradescope read."""

import csv
import io
import json
import os
import shutil
import zipfile

import nbformat
import pytest

from autograder.cli import main
from autograder.exports.canvas import canvas_id, filled_roster
from autograder.gradebook.read_gradebook import read_gradebook
from autograder.gradebook.spreadsheets import without_formula, write_private
from tests.gradebook.small_class import LAB, autograder, grade, grade_manually
from tests.intake.archives import METADATA, archive, notebook, own_zip

pytestmark = pytest.mark.sandbox  # without bubblewrap they run, too

LOSS = "lab4.cfg_train_loss"


@pytest.fixture
def export(course, tmp_path, monkeypatch):
    """A function that exports from the graded course, and returns the file or folder that was written."""
    monkeypatch.delenv("LAB_GRADEBOOK", raising=False)

    def run(*words):
        out = tmp_path / "out"
        assert main(["export", "lab4", "--course", str(course), "--out", str(out), *words]) == 0
        return out

    return run


def table(path):
    """Return the rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_csv_has_automatic_and_manual_scores(export, capsys):
    rows = {row["student"]: row for row in table(export("--to", "csv"))}
    ada, dia = rows["lovelaceada_101"], rows["dia@uni.edu"]
    assert (ada["points"], ada["max_points"], ada["name"]) == ("15.5", "18", "Lovelace, Ada")
    assert ada["lab4.unet_essay"] == "1.5" and ada["not_graded_yet"] and "unet_essay" not in ada["not_graded_yet"]
    assert float(dia["points"]) == 10 and float(dia[LOSS]) < float(ada[LOSS]) == 4
    assert "2 of them have written answers without a grade" in capsys.readouterr().out


def test_canvas_without_a_roster(export):
    lines = list(csv.reader(io.StringIO(export("--to", "canvas").read_text())))
    assert lines[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "lab4_mnist_cfg"]
    assert lines[1] == ["    Points Possible", "", "", "", "", "18"]
    assert sorted(lines[2:]) == [
        ["Lovelace, Ada", "101", "", "", "", "15.5"],
        ["dia@uni.edu", "", "", "dia@uni.edu", "", "10"],
    ]


ROSTER = """\
\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Lab 3 (55),Lab 4 (77),Current Score
,,,,,Manual Posting,,(read only)
    Points Possible,,,,,18,18,(read only)
"Lovelace, Ada",101,A-1,ada,"Tue, 4 pm",3,,50
"Dia, =1+1",102,D-2,DIA@uni.edu,Wed,4,2,60
"Away, Eve",103,E-3,eve,Wed,5,7,70
"Student, Test",999,,,Wed,,,
"""


def test_canvas_fills_the_roster_that_canvas_exported(export, tmp_path, capsys):
    (tmp_path / "roster.csv").write_text(ROSTER)
    out = export("--to", "canvas", "--roster", str(tmp_path / "roster.csv"), "--column", "Lab 4")
    assert list(csv.reader(io.StringIO(out.read_text()))) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Lab 4 (77)"],
        ["", "", "", "", "", ""],
        ["    Points Possible", "", "", "", "", "18"],
        ["Lovelace, Ada", "101", "A-1", "ada", "Tue, 4 pm", "15.5"],
        [
            "Dia, =1+1",
            "102",
            "D-2",
            "DIA@uni.edu",
            "Wed",
            "10",
        ],  # by login, whatever the case; names as Canvas has them
        ["Away, Eve", "103", "E-3", "eve", "Wed", "7"],  # no submission here, so Canvas's own value stays
        ["Student, Test", "999", "", "", "Wed", ""],
    ]
    assert "not in the roster" not in capsys.readouterr().out


def test_a_roster_without_the_column_or_without_a_student(course, tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_GRADEBOOK", raising=False)
    path = tmp_path / "roster.csv"
    path.write_text("Student,ID,SIS Login ID,Section\nPoints Possible,,,\nAda,101,ada,1\n")
    text, unmatched = filled_roster(path, read_gradebook(LAB, course), "New lab")
    assert text.splitlines()[0].endswith(",New lab") and "Ada,101,ada,1,15.5" in text
    assert text.splitlines()[1] == "Points Possible,,,,18" and unmatched == ["dia@uni.edu"]


def test_gradescope_results(export):
    folder = export("--to", "gradescope")
    assert sorted(p.name for p in folder.iterdir()) == ["dia@uni.edu", "lovelaceada_101"]
    dia = json.loads((folder / "dia@uni.edu" / "results.json").read_text())
    assert dia["score"] == sum(test["score"] for test in dia["tests"]) == 10
    assert sum(test["max_score"] for test in dia["tests"]) == 18
    loss = next(test for test in dia["tests"] if test["name"].startswith(LOSS))
    assert loss["output"].startswith("time_out_of_range: ") and loss["score"] == 0
    assert "BEGIN" not in json.dumps(dia)
    assert {t["visibility"] for t in dia["tests"]} == {"visible"} and dia["stdout_visibility"] == "hidden"


def test_gradescope_shows_the_comments_of_graders(export):
    ada = json.loads((export("--to", "gradescope") / "lovelaceada_101" / "results.json").read_text())
    output = {test["name"].partition(":")[0]: test["output"] for test in ada["tests"]}
    assert output["lab4.unet_essay"] == "Graded manually.\n\nComment: Say where the skip *connections* go."
    assert output[LOSS] == "All checks passed."


def feedback(export, tmp_path, submitted: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files that the LMS gets back for an archive with these submissions, by name."""
    out = export("--to", "feedback", "--archive", str(archive(tmp_path / "submissions.zip", submitted)))
    assert out.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(out) as back:
        return {name: back.read(name) for name in back.namelist()}


@pytest.mark.slow
def test_moodle_gets_feedback_pages_in_its_own_folders(export, tmp_path, capsys):
    folders = ("lovelaceada_101_assignsubmission_file/", "lovelaceada_101_assignsubmission_file_/")
    for prefix in (*folders, "lovelaceada_101_assignsubmission_file_"):
        back = feedback(export, tmp_path, {f"{prefix}my notebook.ipynb": notebook()})
        assert list(back) == [f"{prefix}{LAB.name}.html"]
        page = back[f"{prefix}{LAB.name}.html"].decode()
        assert "<b>15.5</b> of 18 points" in page and "Say where the skip <em>connections</em> go." in page
    assert "left out: dia@uni.edu: not in submissions.zip" in capsys.readouterr().out


def test_canvas_gets_files_of_the_kind_that_was_submitted(export, tmp_path):
    """Canvas gives them the name of the submission, and a page called x.ipynb could not be opened."""
    given = {"lovelaceada_LATE_101_9001_a_7_b.ipynb": notebook(), "lovelaceada_101_9000_old.ipynb": notebook()}
    [(name, data)] = feedback(export, tmp_path, given).items()
    assert name == f"lovelaceada_LATE_101_9001_{LAB.name}.ipynb"
    [cell] = nbformat.reads(data.decode(), as_version=4).cells
    assert "**15.5 of 18 points.**" in cell.source and "Comment: Say where the skip *connections* go." in cell.source

    [(name, data)] = feedback(
        export, tmp_path, {"lovelaceada_101_9002_lab4.zip": own_zip({"lab4.ipynb": notebook()})}
    ).items()
    assert name == f"lovelaceada_101_9002_{LAB.name}.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as inner:
        assert b"<b>15.5</b> of 18 points" in inner.read(f"{LAB.name}.html")


def test_an_old_page_is_not_sent_back(course, tmp_path, capsys, monkeypatch):
    """An old page shows old points. Here nbgrader cannot write a new one, because the graded notebook is damaged.

    The student gets a plain page, with the points that the gradebook has.
    """
    monkeypatch.delenv("LAB_GRADEBOOK", raising=False)
    copy = tmp_path / "course"
    shutil.copytree(course, copy)
    (copy / "autograded" / "lovelaceada_101" / LAB.name / f"{LAB.name}.ipynb").write_text("{")
    page = copy / "feedback" / "lovelaceada_101" / LAB.name / f"{LAB.name}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("old")
    os.utime(page, (1, 1))
    given = archive(tmp_path / "moodle.zip", {"lovelaceada_101_assignsubmission_file/x.ipynb": notebook()})
    words = ["--to", "feedback", "--archive", str(given), "--out", str(tmp_path / "out.zip")]
    assert main(["export", "lab4", "--course", str(copy), *words]) == 0
    assert "left out: lovelaceada_101: the notebook, because its page could not be written" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "out.zip") as packed:
        (name,) = packed.namelist()
        text = packed.read(name).decode()
    assert "15.5 of 18 points" in text and "Comment: Say where the skip *connections* go." in text
    assert "could not be shown on this page" in text


def test_impossible_feedback_is_rejected(course, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("LAB_GRADEBOOK", raising=False)
    nobody = archive(tmp_path / "nobody.zip", {"ben_102_9001_x.ipynb": notebook()})
    scope = archive(
        tmp_path / "scope.zip",
        {"submission_metadata.yml": METADATA.encode(), "submission_11/lab4.ipynb": notebook()},
    )
    (tmp_path / "text.zip").write_text("no zip")
    for words, said in (
        (["feedback"], "needs --archive"),
        (["csv", "--archive", str(nobody)], "--archive belongs to --to feedback"),
        (["feedback", "--archive", str(nobody)], "not in nobody.zip"),
        (["feedback", "--archive", str(scope)], "Gradescope accepts no feedback files"),
        (["feedback", "--archive", str(tmp_path / "text.zip")], "not a readable zip archive"),
    ):
        out = tmp_path / "out.zip"
        assert main(["export", "lab4", "--course", str(course), "--out", str(out), "--to", *words]) == 2
        assert said in capsys.readouterr().err and not out.exists()


def test_an_impossible_export_is_explained_in_one_sentence(tmp_path, course, capsys, monkeypatch):
    monkeypatch.delenv("LAB_GRADEBOOK", raising=False)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    for words, said in (
        (["--course", str(tmp_path)], "there is no gradebook"),
        (["--course", str(course), "--roster", str(tmp_path / "x.csv")], "not a gradebook from Canvas"),
        (["--course", str(course), "--roster", str(tmp_path / "none.csv")], "cannot be read"),
    ):
        assert main(["export", "lab4", "--to", "canvas", *words]) == 2
        assert said in capsys.readouterr().err
    assert main(["export", "lab7", "--to", "csv"]) == 2


def test_ids_and_cells():
    assert [canvas_id(s) for s in ("lovelaceada_101", "101", "ada", "ada_b", "x1_y2")] == ["101", "101", "", "", ""]
    for formula in ("=HYPERLINK(1)", "+1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "-", "－1"):
        assert without_formula(formula) == f"'{formula}"
    assert without_formula("\t=1") == "'\t'=1"  # both where a program keeps the tab and where it drops it
    for plain in ("-1.5", "18", "Ada", "Lovelace-King, Ada", ""):
        assert without_formula(plain) == plain


def test_grades_are_readable_for_their_owner_only_also_in_a_file_that_existed(tmp_path):
    (tmp_path / "grades.csv").write_text("old")
    (tmp_path / "grades.csv").chmod(0o644)
    write_private(tmp_path / "grades.csv", "new\n")
    assert (tmp_path / "grades.csv").read_text() == "new\n"
    assert (tmp_path / "grades.csv").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_postgres_as_gradebook(postgres, course, scheduler, tmp_path, monkeypatch):
    """The same class on a real server: equal scores, manual grades kept by a regrade, and the password never shown."""
    copy = tmp_path / "course"
    shutil.copytree(course, copy, ignore=shutil.ignore_patterns("gradebook.db", "autograded"))
    printed = grade(copy, scheduler, postgres)
    assert "0 of them run now" in printed and "s3cret" not in printed
    assert not (copy / "gradebook.db").exists()
    grade_manually(postgres)
    code, printed = autograder("regrade", "lab4", "--course", str(copy), "--no-feedback", LAB_GRADEBOOK=postgres)
    assert code == 0, printed
    monkeypatch.setenv("LAB_GRADEBOOK", postgres)
    on_server = {row.student: (row.points, row.penalty, row.open) for row in read_gradebook(LAB, copy)}
    monkeypatch.delenv("LAB_GRADEBOOK")
    assert on_server == {row.student: (row.points, row.penalty, row.open) for row in read_gradebook(LAB, course)}
    assert on_server["lovelaceada_101"][0] == 15.5


def test_a_missing_server_is_reported_in_one_sentence(course, capsys, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("LAB_GRADEBOOK", "postgresql+psycopg://ta:s3cret@127.0.0.1:1/course")
    assert main(["export", "lab4", "--to", "csv", "--course", str(course)]) == 2
    said = capsys.readouterr().err
    assert "the gradebook cannot be read" in said and "s3cret" not in said and "Traceback" not in said
