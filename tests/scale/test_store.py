"""The store, the archive, regrading and the report."""

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest

from autograder.cli import main
from autograder.course import releases as archive
from autograder.course.source import read_source, release_hash
from autograder.errors import SandboxError
from autograder.feedback.class_report import report, write_page
from autograder.gradebook import keep, nbgrader
from autograder.gradebook.keep import keep_in_nbgrader
from autograder.intake.repair import repair
from autograder.judging import class_run as classroom
from autograder.judging.class_run import judge_class, open_class, run_class
from autograder.running.passes import Run
from autograder.running.store import Store
from tests.scale.conftest import make_class
from utils.checks.exercise import REGISTRY
from utils.checks.judging import Finding

KEY = "ab" + "0" * 62


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", {"lab4.cfg_drift": 1})


def test_a_run_comes_back_as_it_was(store):
    run = Run("digest", {"lab4.cfg_drift": [(b"{}", b"tensors")]}, {3: {"outputs": []}}, ["a problem"], 1.0, 2.0, 3.0)
    store.save(KEY, run)
    assert KEY in store and store.load(KEY) == run


def test_only_the_owner_reads_the_store(store):
    assert store.folder.stat().st_mode & 0o077 == 0


def test_half_written_runs_are_swept_and_young_ones_left(store):
    old, young = store.folder / "ab" / ".old.1", store.folder / "ab" / ".young.1"
    old.mkdir(parents=True), young.mkdir()
    os.utime(old, (time.time() - 10_000,) * 2)
    store.sweep()
    assert not old.exists() and young.exists()


def test_a_run_without_the_sandbox_does_not_stand_where_grading_is_protected(store):
    store.save(KEY, Run("digest", {}, protected=False))
    assert KEY in store and store.holds(KEY, protected=False) and not store.holds(KEY, protected=True)
    store.save(KEY, Run("digest", {}))
    store.save(KEY, Run("digest", {}, protected=False))
    assert store.load(KEY).protected, "a protected run is not replaced by one that is not"


@pytest.mark.parametrize("part", ["run.json", "1.0.safetensors"])
def test_a_damaged_run_counts_as_none_and_is_replaced(store, part):
    run = Run("digest", {"lab4.cfg_drift": [(b"{}", b"tensors")]})
    store.save(KEY, run)
    if part == "run.json":
        (store.place(KEY) / part).write_text("[")
    else:
        (store.place(KEY) / part).unlink()
    with pytest.raises(KeyError):
        store.load(KEY)
    assert KEY not in store, "or it would never be run again"
    store.save(KEY, run)
    assert KEY in store and store.load(KEY) == run
    assert [path.name for path in store.place(KEY).parent.iterdir()] == [KEY]


def test_what_another_grader_removes_meanwhile_is_no_error(store, monkeypatch):
    (store.folder / "ab").mkdir()
    monkeypatch.setattr(type(store.folder), "glob", lambda self, pattern: [store.folder / "ab" / ".gone.1"])
    store.sweep()


def test_a_changed_probe_makes_stored_evidence_stale_and_names_it(store):
    store.save(KEY, Run("digest"))
    newer = Store(store.folder, {"lab4.cfg_drift": 2})
    assert newer.stale(KEY) == {"lab4.cfg_drift": (1, 2)} and KEY not in newer
    newer.save(KEY, Run("digest", problems=["newer"]))
    assert KEY in newer and newer.load(KEY).problems == ["newer"]


# --- releases


def test_a_submission_is_repaired_by_its_own_release(lab4, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path))
    old = read_source(lab4)
    setup = next(c for c in old.cells if c.id == "setup")
    setup.source += "\nOLD_RELEASE = True"
    old.metadata["guidance_labs"]["release"] = name = release_hash(old)
    monkeypatch.setattr(archive, "read_source", lambda lab: old)
    archive.keep(lab4)
    monkeypatch.undo()
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path))
    archive.find.cache_clear()

    submitted = read_source(lab4)
    submitted.metadata["guidance_labs"]["release"] = name
    next(c for c in submitted.cells if c.id == "setup").source = "# edited"
    mended = repair(submitted, lab4)
    assert mended.release == name
    assert "OLD_RELEASE = True" in next(c for c in mended.notebook.cells if c.id == "setup").source
    assert "the locked cell setup was changed; the original was put back" in mended.repairs
    archive.find.cache_clear()


def test_a_release_that_the_archive_lacks_is_said(lab4, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path))
    submitted = read_source(lab4)
    submitted.metadata["guidance_labs"]["release"] = "0123456789ab"
    assert any("0123456789ab, which the archive does not have" in line for line in repair(submitted, lab4).repairs)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "x" * 5000, "0123456789AB"])
def test_a_forged_release_name_reaches_no_file(name, lab4, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path))
    submitted = read_source(lab4)
    submitted.metadata["guidance_labs"]["release"] = name
    assert repair(submitted, lab4).release == read_source(lab4).metadata["guidance_labs"]["release"]


def test_a_damaged_archive_is_named(lab4, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path))
    place = archive.keep(lab4).rename(tmp_path / lab4.name / "aaaaaaaaaaaa.ipynb")
    archive.find.cache_clear()
    with pytest.raises(RuntimeError, match=r"aaaaaaaaaaaa\.ipynb is damaged"):
        archive.find(lab4, place.stem)


# --- a class whose machine fails, or that hands in again


def test_the_reason_why_the_machine_failed_is_said(lab4, tmp_path, monkeypatch):
    room = open_class(lab4, make_class(tmp_path, lab4, 1) / "submitted", tmp_path)
    error = SandboxError("the sandbox did not start:\nbwrap: No permissions to create a new namespace")
    monkeypatch.setattr(classroom, "run_all", lambda tasks, *_: ((key, error) for key in tasks))
    run_class(room, protected=True)
    judge_class(room)
    assert "bwrap: No permissions to create a new namespace" in room.entries[0].problem
    assert "\n" not in room.entries[0].problem and room.entries[0].grade is None


def test_files_whose_names_are_nearly_the_same_are_not_one_student(lab4, tmp_path):
    for name in ("ada b", "ada_b", "chi d"):
        (tmp_path / f"{name}.ipynb").write_text("{}")
    found = classroom.find_submissions(tmp_path, lab4)
    assert {student: path.stem for student, path in found.items()} == {
        "ada b": "ada b",
        "ada_b": "ada_b",
        "chi_d": "chi d",
    }
    said = {entry.student: entry.problem for entry in classroom.open_class(lab4, tmp_path, tmp_path).entries}
    assert "rename one" in said["ada b"] and "rename" not in said["ada_b"] + said["chi_d"]


def test_what_a_system_lays_beside_is_no_submission(lab4, tmp_path):
    place = tmp_path / "ada" / lab4.name
    for path in (place / "._lab4.ipynb", place / "lab4.ipynb", tmp_path / ".ipynb_checkpoints" / lab4.name / "x.ipynb"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert classroom.find_submissions(tmp_path, lab4) == {"ada": place / "lab4.ipynb"}


def test_a_new_attempt_brings_its_own_time_of_arrival(lab4, tmp_path):
    """An earlier attempt's time must not make the new one late."""
    course = tmp_path / "course"
    for attempt in ("first", "second"):
        make_class(tmp_path / attempt, lab4, 1, attempt)
    folder = tmp_path / "first" / "submitted" / "student00" / lab4.name
    (folder / "timestamp.txt").write_text("2026-12-01 00:00:00 UTC")
    target = course / "submitted" / "student00" / lab4.name
    keep.lay_out(open_class(lab4, tmp_path / "first" / "submitted", course))
    assert (target / "timestamp.txt").read_text() == "2026-12-01 00:00:00 UTC"
    keep.lay_out(open_class(lab4, tmp_path / "second" / "submitted", course))
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
    room = open_class(lab, folder / "submitted", folder)
    run_class(room, protected=True, workers=1)
    judge_class(room)
    assert keep_in_nbgrader(room, protected=True) == ([], True)
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
    """nbgrader keeps a time that it was told once."""
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
    with nbgrader.alone(course):
        assert main(["regrade", lab4.name, "--course", str(course)]) == 2
    assert "another grading run is writing the grades" in capsys.readouterr().err
    with nbgrader.alone(course):  # it was given back
        pass


def test_a_notebook_handed_in_anew_is_looked_at_again(course, lab4, capsys):
    """And a run that was killed between nbgrader and `put_back` has not forgotten who needs no second look."""
    from autograder.gradebook import manual_grades as by_hand
    from autograder.gradebook.nbgrader import open_gradebook

    path = course / "submitted" / "student00" / lab4.name / f"{lab4.name}.ipynb"
    before = path.read_text()

    def waits(gradebook):
        return gradebook.find_grade("lab4_unet_essay", lab4.name, lab4.name, "student00").needs_manual_grade

    with open_gradebook(course) as gradebook:
        assert by_hand.remember(gradebook, lab4.name, course, course / "store") and not waits(gradebook)
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
    room = open_class(lab4, course / "submitted", course)
    judge_class(room)
    room.entries[0].grade.problems.append("<script>alert(1)</script>")
    place = write_page(report(room), tmp_path / "report" / "page.html")
    page = place.read_text()
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
    assert "http://" not in page and "https://" not in page and "src=" not in page
    assert place.stat().st_mode & 0o077 == 0


def test_the_page_says_who_needs_a_person_and_leads_to_the_feedback(course, lab4, tmp_path, capsys):
    room = open_class(lab4, course / "submitted", course)
    judge_class(room)
    room.entries[0].grade.problems.append("The cell of lab4.cfg_drift stopped with SyntaxError: `x` <b>")
    verdict = room.entries[1].grade.verdicts["lab4.cfg_drift"]
    verdict.findings.append(Finding("needs_a_person", "The grader could not judge this part of your answer by itself."))
    document = report(room)
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
