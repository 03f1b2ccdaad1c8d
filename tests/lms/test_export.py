"""Grades out of the gradebook: what a spreadsheet, Canvas and Gradescope read."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

import nbformat
import pytest

from autograder.cli import main
from autograder.course.releases import archive_release
from autograder.demo import CLASS
from autograder.gradebook.canvas import canvas_id, filled_roster
from autograder.gradebook.gradescope import write_autograder
from autograder.gradebook.rows import read_gradebook
from autograder.gradebook.spreadsheets import harmless, write
from autograder.running.bubblewrap import bubblewrap
from tests.lms.conftest import LAB, grade
from tests.lms.test_collect import METADATA, archive, notebook, own_zip

LOSS = "lab4.cfg_train_loss"


@pytest.fixture
def export(course, tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_GRADEBOOK", raising=False)

    def run(*words):
        out = tmp_path / "out"
        assert main(["export", "lab4", "--course", str(course), "--out", str(out), *words]) == 0
        return out

    return run


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_csv_has_automatic_and_manual_scores(export, capsys):
    rows = {row["student"]: row for row in table(export("--to", "csv"))}
    ada, dia = rows["lovelaceada_101"], rows["dia@uni.edu"]
    assert (ada["points"], ada["max_points"], ada["name"]) == ("15.5", "18", "Lovelace, Ada")
    assert ada["lab4.unet_essay"] == "1.5" and ada["not_graded_yet"] and "unet_essay" not in ada["not_graded_yet"]
    assert float(dia["points"]) == 10 and float(dia[LOSS]) < float(ada[LOSS]) == 4
    assert "2 of them have written answers that nobody has graded yet" in capsys.readouterr().out


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
        ["Away, Eve", "103", "E-3", "eve", "Wed", "7"],  # nothing handed in here: what Canvas had stays
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


def test_gradescope_has_the_comments_that_a_person_typed(export):
    ada = json.loads((export("--to", "gradescope") / "lovelaceada_101" / "results.json").read_text())
    output = {test["name"].partition(":")[0]: test["output"] for test in ada["tests"]}
    assert output["lab4.unet_essay"] == "Graded by hand.\n\nComment: Say where the skip *connections* go."
    assert output[LOSS] == "All checks of the grader passed."


def feedback(export, tmp_path, handed_in: dict[str, bytes]) -> dict[str, bytes]:
    """What the LMS gets back for what it gave: name -> content."""
    out = export("--to", "feedback", "--archive", str(archive(tmp_path / "submissions.zip", handed_in)))
    assert out.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(out) as back:
        return {name: back.read(name) for name in back.namelist()}


def test_moodle_takes_feedback_pages_back_by_its_own_folders(export, tmp_path, capsys):
    folders = ("lovelaceada_101_assignsubmission_file/", "lovelaceada_101_assignsubmission_file_/")
    for prefix in (*folders, "lovelaceada_101_assignsubmission_file_"):
        back = feedback(export, tmp_path, {f"{prefix}my notebook.ipynb": notebook()})
        assert list(back) == [f"{prefix}{LAB.name}.html"]
        page = back[f"{prefix}{LAB.name}.html"].decode()
        assert "<b>15.5</b> of 18 points" in page and "Say where the skip <em>connections</em> go." in page
    assert "left out: dia@uni.edu: not in submissions.zip" in capsys.readouterr().out


def test_canvas_takes_back_files_of_the_kind_that_was_handed_in(export, tmp_path):
    """It gives them the name of what the student had handed in: a page called x.ipynb would open nowhere."""
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


def test_an_old_page_is_not_handed_back(course, tmp_path, capsys, monkeypatch):
    """It has old points. Here nbgrader has lost what it makes the page of."""
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
    assert main(["export", "lab4", "--course", str(copy), *words]) == 2
    said = capsys.readouterr().err
    assert "lovelaceada_101: nbgrader could not write the feedback page" in said and "Traceback" not in said


def test_feedback_that_no_lms_takes_is_refused(course, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("LAB_GRADEBOOK", raising=False)
    nobody = archive(tmp_path / "nobody.zip", {"ben_102_9001_x.ipynb": notebook()})
    scope = archive(
        tmp_path / "scope.zip",
        {"submission_metadata.yml": METADATA.encode(), "submission_11/lab4.ipynb": notebook()},
    )
    (tmp_path / "text.zip").write_text("no zip")
    for words, said in (
        (["feedback"], "needs --archive"),
        (["csv", "--archive", str(nobody)], "needs --archive"),
        (["feedback", "--archive", str(nobody)], "not in nobody.zip"),
        (["feedback", "--archive", str(scope)], "Gradescope takes no feedback files"),
        (["feedback", "--archive", str(tmp_path / "text.zip")], "not a zip archive"),
    ):
        out = tmp_path / "out.zip"
        assert main(["export", "lab4", "--course", str(course), "--out", str(out), "--to", *words]) == 2
        assert said in capsys.readouterr().err and not out.exists()


def test_what_cannot_be_exported_is_said_in_a_sentence(tmp_path, course, capsys, monkeypatch):
    monkeypatch.delenv("LAB_GRADEBOOK", raising=False)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    for words, said in (
        (["--course", str(tmp_path)], "there is no gradebook"),
        (["--course", str(course), "--roster", str(tmp_path / "x.csv")], "no gradebook of Canvas"),
        (["--course", str(course), "--roster", str(tmp_path / "none.csv")], "cannot be read"),
    ):
        assert main(["export", "lab4", "--to", "canvas", *words]) == 2
        assert said in capsys.readouterr().err
    assert main(["export", "lab7", "--to", "csv"]) == 2


def test_ids_and_cells():
    assert [canvas_id(s) for s in ("lovelaceada_101", "101", "ada", "ada_b", "x1_y2")] == ["101", "101", "", "", ""]
    for formula in ("=HYPERLINK(1)", "+1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "-", "－1"):
        assert harmless(formula) == f"'{formula}"
    for plain in ("-1.5", "18", "Ada", "Lovelace-King, Ada", ""):
        assert harmless(plain) == plain


def test_grades_are_for_their_owner_also_in_a_file_that_was_there(tmp_path):
    (tmp_path / "grades.csv").write_text("old")
    (tmp_path / "grades.csv").chmod(0o644)
    write(tmp_path / "grades.csv", "new\n")
    assert (tmp_path / "grades.csv").read_text() == "new\n"
    assert (tmp_path / "grades.csv").stat().st_mode & 0o077 == 0


def test_postgres_as_gradebook(postgres, course, tmp_path, monkeypatch):
    """The same class on a real server: same scores, scores by hand kept on a regrade, the password never shown."""
    from tests.lms.conftest import autograder, grade_by_hand

    copy = tmp_path / "course"
    shutil.copytree(course, copy, ignore=shutil.ignore_patterns("gradebook.db", "autograded"))
    done = grade(copy, LAB_GRADEBOOK=postgres)
    assert "0 of them run now" in done.stdout and "s3cret" not in done.stdout + done.stderr
    assert not (copy / "gradebook.db").exists()
    grade_by_hand(postgres)
    again = autograder("regrade", "lab4", "--course", str(copy), "--no-feedback", LAB_GRADEBOOK=postgres)
    assert again.returncode == 0, again.stderr[-2000:]
    monkeypatch.setenv("LAB_GRADEBOOK", postgres)
    on_server = {row.student: (row.points, row.penalty, row.open) for row in read_gradebook(LAB, copy)}
    monkeypatch.delenv("LAB_GRADEBOOK")
    assert on_server == {row.student: (row.points, row.penalty, row.open) for row in read_gradebook(LAB, course)}
    assert on_server["lovelaceada_101"][0] == 15.5


def test_a_server_that_is_not_there_is_told_in_a_sentence(course, capsys, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("LAB_GRADEBOOK", "postgresql+psycopg://ta:s3cret@127.0.0.1:1/course")
    assert main(["export", "lab4", "--to", "csv", "--course", str(course)]) == 2
    said = capsys.readouterr().err
    assert "the gradebook cannot be read" in said and "s3cret" not in said and "Traceback" not in said


# The zip that Gradescope runs


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    """What Gradescope unpacks, as its documentation says; the environment is borrowed, setup.sh needs a network."""
    folder = tmp_path_factory.mktemp("gradescope")
    sandbox = "bwrap" if bubblewrap() else "none"
    words = ["--to", "gradescope-autograder", "--out", str(folder / "autograder.zip"), "--sandbox", sandbox]
    assert main(["export", "lab4", *words]) == 0
    with zipfile.ZipFile(folder / "autograder.zip") as archive:
        archive.extractall(folder / "source")
        modes = {e.filename: e.external_attr >> 16 for e in archive.infolist()}
    assert modes["setup.sh"] & 0o111 and modes["run_autograder"] & 0o111
    shutil.copy(folder / "source" / "run_autograder", folder / "run_autograder")
    return folder


def run_autograder(container, submission: dict[str, bytes]):
    shutil.rmtree(container / "submission", ignore_errors=True)
    (container / "submission").mkdir()
    for name, data in submission.items():
        (container / "submission" / name).write_bytes(data)
    environment = {k: v for k, v in os.environ.items() if k not in ("LAB_SECRET", "PYTHONPATH")}
    done = subprocess.run(
        ["bash", str(container / "run_autograder")],
        cwd=container,
        env=environment | {"AUTOGRADER": str(container), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=200,
    )
    return done, json.loads((container / "results" / "results.json").read_text())


def test_gradescope_grades_a_right_and_a_wrong_notebook(container):
    for who, points in (("ada", 14), ("dia", 10)):
        done, found = run_autograder(container, {"my lab.ipynb": nbformat.v4.writes(CLASS[who](LAB)).encode()})
        assert done.returncode == 0, done.stderr[-2000:]
        assert found["score"] == sum(t["score"] for t in found["tests"]) == points
        assert all(0 <= t["score"] <= t["max_score"] and t["visibility"] == "visible" for t in found["tests"])
    loss = next(t for t in found["tests"] if t["name"] == LOSS)
    assert loss["score"] == 0 and loss["output"].startswith("time_out_of_range: ")


def test_gradescope_takes_the_zip_of_make_submission_and_says_what_is_no_notebook(container):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr(f"{LAB.name}.ipynb", nbformat.v4.writes(CLASS["ada"](LAB)))
    assert run_autograder(container, {f"{LAB.name}.zip": buffer.getvalue()})[1]["score"] == 14
    done, found = run_autograder(container, {"essay.docx": b"x"})
    assert done.returncode == 0 and found["score"] == 0 and "Neither a notebook nor a zip" in found["output"]
    done, found = run_autograder(container, {"x.ipynb": b"{"})
    assert "is not JSON" in found["output"]


def test_the_zip_holds_what_it_needs_and_no_more(container):
    names = {p.relative_to(container / "source").as_posix() for p in (container / "source").rglob("*") if p.is_file()}
    assert {"setup.sh", "run_autograder", ".secret", "pyproject.toml", f"labs/{LAB.name}/{LAB.name}.ipynb"} <= names
    assert not [n for n in names if n.startswith(("tests/", "submitted/", "store/", "demo/")) or "gradebook" in n]
    own = (container / "source" / ".secret").read_bytes()
    assert len(own) == 64 and own.decode() != os.environ.get("LAB_SECRET")
    assert subprocess.run(["bash", "-n", str(container / "source" / "setup.sh")]).returncode == 0


def test_the_zip_takes_the_archived_releases_from_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path / "elsewhere"))
    kept = archive_release(LAB)
    write_autograder(LAB, tmp_path / "autograder.zip", "bwrap")
    with zipfile.ZipFile(tmp_path / "autograder.zip") as out:
        assert f"archive/{LAB.name}/{kept.name}" in out.namelist()
