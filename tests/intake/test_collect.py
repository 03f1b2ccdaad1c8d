"""Collect submissions from the archives of Canvas, Moodle and Gradescope."""

from datetime import datetime

import nbformat
import pytest

from autograder.cli import main
from autograder.intake.collect import collect
from autograder.intake.find_collected import find_submissions
from tests.intake.archives import LAB, METADATA, archive, marks, notebook, own_zip, stamp


def test_canvas(tmp_path):
    zipped = archive(
        tmp_path / "submissions.zip",
        {
            "lovelaceada_101_9001_lab4.ipynb": notebook("first"),
            "lovelaceada_101_9007_lab4-1.ipynb": notebook("latest"),
            "obrienben_LATE_102_9002_my_lab_3_4_x.ipynb": notebook("late"),
            "chi_103_9003_lab4_mnist_cfg.zip": own_zip({f"{LAB.name}.ipynb": notebook("zipped"), "a.pdf": b"%PDF"}),
            "dia_104_9004_holiday.png": b"\x89PNG",
            "readme.txt": b"",
        },
    )
    result = collect(zipped, tmp_path / "in", LAB, late="2026-12-01 00:00:00 UTC")
    assert marks(tmp_path / "in") == {"lovelaceada_101": "latest", "obrienben_102": "late", "chi_103": "zipped"}
    assert stamp(tmp_path / "in", "obrienben_102") == "2026-12-01 00:00:00 UTC"
    assert stamp(tmp_path / "in", "lovelaceada_101") is None
    skipped = "\n".join(result.skipped)
    assert "9001_lab4.ipynb: of the same submission, 'lovelaceada_101_9007_lab4-1.ipynb' counts" in skipped
    assert "both have no answers, and it was uploaded later" in skipped
    assert "holiday.png: it is neither a notebook nor a zip" in skipped
    assert "readme.txt: its name does not say whose file it is" in skipped
    assert len(result.accepted) == len(result.skipped) == 3


def test_canvas_same_attachment_twice_and_the_order_in_the_archive_does_not_matter(tmp_path):
    zipped = archive(
        tmp_path / "s.zip",
        {"a_1_50_x-10.ipynb": notebook("c"), "a_1_50_x-9.ipynb": notebook("b"), "a_1_9_x.ipynb": notebook("a")},
    )
    collect(zipped, tmp_path / "in")
    assert marks(tmp_path / "in") == {"a_1": "c"}


def test_anonymous_canvas(tmp_path):
    collect(archive(tmp_path / "s.zip", {"anon_LATE_Ab1Cd_77_x.ipynb": notebook("?")}), tmp_path / "in")
    assert marks(tmp_path / "in") == {"anon_Ab1Cd": "?"}


def test_moodle_with_and_without_folders_and_times_from_its_worksheet(tmp_path):
    zipped = archive(
        tmp_path / "moodle.zip",
        {
            "Ada Lovelace_501_assignsubmission_file_/lab4.ipynb": notebook("folder"),
            "Béla O'Brien_502_assignsubmission_file_lab4.ipynb": notebook("flat"),
            # Students choose this part of the name. It must not turn chi into ada.
            "Chi_503_assignsubmission_file_Ada Lovelace_501_assignsubmission_file_x.ipynb": notebook("chi"),
            "Dia_504_assignsubmission_onlinetext_/text.html": b"<p>",
            "Eve Noor_505_assignsubmission_file/lab4.ipynb": notebook("as Moodle 4.1 and later"),
        },
    )
    sheet = tmp_path / "Grades.csv"
    sheet.write_text(
        "\ufeffIdentifier,Full name,Status,Last modified (submission)\n"
        'Participant 501,Ada Lovelace,Submitted,"Monday, 30 November 2026, 9:14 PM"\n'
        "Participant 502,Béla O'Brien,Submitted,-\n"
        'Participant 503,Chi,Submitted,"lundi 30 novembre 2026, 21:14"\n'
    )
    result = collect(zipped, tmp_path / "in", times=sheet)
    told = [line for line in result.skipped if line.startswith("Grades.csv")]
    assert len(told) == 1 and "Chi_503" in told[0] and "lundi 30 novembre" in told[0]
    assert marks(tmp_path / "in") == {
        "Ada_Lovelace_501": "folder",
        "Béla_O_Brien_502": "flat",
        "Chi_503": "chi",
        "Eve_Noor_505": "as Moodle 4.1 and later",
    }
    assert stamp(tmp_path / "in", "Ada_Lovelace_501") == "2026-11-30 21:14:00 UTC"
    assert stamp(tmp_path / "in", "Béla_O_Brien_502") is None and stamp(tmp_path / "in", "Chi_503") is None


def test_moodles_worksheet_may_spell_a_name_differently_or_omit_it(tmp_path):
    zipped = archive(tmp_path / "moodle.zip", {"Group A-Sean OBrien_502_assignsubmission_file/lab4.ipynb": notebook()})
    for names in (
        "Identifier,Full name,Last modified (submission)\nParticipant 502,Sean O'Brien,",
        "Identifier,Last modified (submission)\nParticipant 502,",
    ):
        sheet = tmp_path / "Grades.csv"
        sheet.write_text(names + '"Monday, 30 November 2026, 9:14 PM"\n')
        collect(zipped, tmp_path / "in", times=sheet)
        assert stamp(tmp_path / "in", "Group_A-Sean_OBrien_502") == "2026-11-30 21:14:00 UTC"


def test_a_corrected_time_for_late_submissions_takes_effect(tmp_path):
    zipped = {
        mark: archive(tmp_path / f"{mark}.zip", {"a_LATE_1_2_x.ipynb": notebook(mark)}) for mark in ("old", "new")
    }
    collect(zipped["old"], tmp_path / "in", late="2026-12-05 12:00:00 UTC")
    (tmp_path / "in" / "a_1" / LAB.name / "timestamp.txt").write_bytes(b"\xff")
    collect(zipped["old"], tmp_path / "in", late="2026-12-05 12:00:00 UTC")
    collect(zipped["new"], tmp_path / "in", late="2026-12-01 00:00:00 UTC")
    assert marks(tmp_path / "in") == {"a_1": "new"} and stamp(tmp_path / "in", "a_1") == "2026-12-01 00:00:00 UTC"


@pytest.mark.parametrize(
    "other", [f"{LAB.name}_old.ipynb", f"Copy of {LAB.name}.ipynb", f".ipynb_checkpoints/{LAB.name}-checkpoint.ipynb"]
)
def test_the_notebook_with_the_labs_name_is_preferred_to_a_copy(tmp_path, other):
    from autograder.exports.gradescope_run import find_notebook

    files = {f"{LAB.name}.ipynb": notebook("this"), other: notebook("copy")}
    for order in (files, dict(reversed(files.items()))):
        collect(archive(tmp_path / "s.zip", {"a_1_2_x.zip": own_zip(order)}), tmp_path / "in")
        assert marks(tmp_path / "in") == {"a_1": "this"}
    (scratch := tmp_path / "scratch").mkdir()
    for where in ("plain", "zipped"):
        folder = tmp_path / where
        for name, data in files.items() if where == "plain" else ():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        if where == "zipped":
            folder.mkdir()
            (folder / "it.zip").write_bytes(own_zip(files))
        assert nbformat.read(find_notebook(folder, LAB, scratch), 4).cells[-1].source == "this"


def test_collected_submissions_are_readable_for_their_owner_only(tmp_path):
    collect(archive(tmp_path / "s.zip", {"a_1_2_x.ipynb": notebook()}), tmp_path / "in")
    assert (tmp_path / "in").stat().st_mode & 0o077 == 0


def test_gradescope(tmp_path):
    base = "assignment_77_export"
    zipped = archive(
        tmp_path / "g.zip",
        {
            f"{base}/submission_metadata.yml": METADATA.encode(),
            f"{base}/submission_11/lab4.ipynb": notebook("older"),
            f"{base}/submission_12/deep/lab4.ipynb": notebook("two"),
            f"{base}/submission_13/lab4.ipynb": notebook("newer"),
            f"{base}/submission_14/lab4.ipynb": notebook("nobody"),
            # Tricks: the same names inside a student's own folder.
            f"{base}/submission_12/submission_metadata.yml": b"submission_14: {}",
        },
    )
    result = collect(zipped, tmp_path / "in")
    assert marks(tmp_path / "in") == {"u100": "newer", "ben@uni.edu": "two", "Chi_Li": "two"}
    assert stamp(tmp_path / "in", "u100") == "2026-11-30 23:00:00 UTC"
    assert stamp(tmp_path / "in", "ben@uni.edu") == "2026-12-01 00:00:00 UTC"
    assert any("submission_14" in line and "whose" in line for line in result.skipped)


def test_timestamps_are_what_nbgrader_reads(tmp_path):
    from nbgrader.utils import parse_utc

    zipped = archive(
        tmp_path / "g.zip", {"submission_metadata.yml": METADATA.encode(), "submission_11/x.ipynb": notebook()}
    )
    collect(zipped, tmp_path / "in")
    assert parse_utc(stamp(tmp_path / "in", "u100")) == datetime(2026, 11, 30, 21, 14, 5)


def test_an_older_archive_does_not_replace_a_later_attempt(tmp_path):
    for name, mark in (("submission_13", "newer"), ("submission_11", "older")):
        files = {"submission_metadata.yml": METADATA.encode(), f"{name}/x.ipynb": notebook(mark)}
        result = collect(archive(tmp_path / f"{name}.zip", files), tmp_path / "in")
    assert marks(tmp_path / "in") == {"u100": "newer"}
    assert "a later submission of u100" in result.skipped[0] and not result.accepted


def test_a_broken_notebook_is_accepted_if_the_lab_is_given_so_that_grading_tells_the_student(tmp_path):
    zipped = archive(tmp_path / "s.zip", {"a_1_2_x.ipynb": b"{not json", "b_2_3_x.ipynb": notebook("b")})
    assert "a_1_2" not in str(collect(zipped, tmp_path / "named", LAB).skipped)
    assert set(find_submissions(tmp_path / "named", LAB)) == {"a_1", "b_2"}
    assert "is not JSON" in "".join(collect(zipped, tmp_path / "guessed").skipped)
    assert set(find_submissions(tmp_path / "guessed", LAB)) == {"b_2"}


def test_the_command_says_what_it_accepted_and_what_it_skipped(tmp_path, capsys):
    zipped = archive(
        tmp_path / "s.zip", {"ada_1_2_x.ipynb": notebook(), "ben_LATE_2_3_x.ipynb": notebook(), "c_3_4_x.doc": b""}
    )
    assert main(["collect", str(zipped), "--lab", "lab4", "--submissions", str(tmp_path / "in")]) == 0
    said = capsys.readouterr().out
    assert "accepted  ada_1: lab4_mnist_cfg from ada_1_2_x.ipynb" in said
    assert "LATE by Canvas" in said and "skipped   c_3: c_3_4_x.doc" in said and "2 accepted, 1 skipped" in said
    assert main(["collect", str(zipped), "--late", "yesterday"]) == 2
    assert main(["collect", str(zipped), "--lab", "lab9"]) == 2


def test_students_without_a_usable_file_are_named(tmp_path, capsys):
    """This includes a student with only a PDF, which is skipped silently if it is beside a notebook."""
    zipped = archive(
        tmp_path / "s.zip",
        {
            "ada_1_2_x.IPYNB": notebook(),
            "ada_1_3_x.pdf": b"%PDF",
            "ben_2_4_x.pdf": b"%PDF",
            "chi_3_5_x.zip": own_zip({"inner.zip": own_zip({})}),
        },
    )
    assert main(["collect", str(zipped), "--submissions", str(tmp_path / "in")]) == 0
    said = capsys.readouterr().out
    assert "1 accepted, 1 skipped" in said and "lab4_mnist_cfg: 1 student\n" in said
    assert "chi_3: chi_3_5_x.zip: it contains no notebook, only another zip" in said
    assert "Nothing could be accepted from 2 students, so they will not be graded: ben_2, chi_3" in said


def test_gradescope_names_the_student_of_what_is_skipped(tmp_path):
    files = {"submission_metadata.yml": METADATA.encode(), "submission_11/x.zip": b"PK"}
    result = collect(archive(tmp_path / "g.zip", files), tmp_path / "in")
    assert result.skipped == ("u100: submission_11/x.zip: it is not a readable zip (File is not a zip file)",)


def test_a_mac_writes_an_umlaut_as_two_letters(tmp_path, capsys):
    name = "Be\u0301la Mu\u0308ller_501"
    zipped = archive(tmp_path / "m.zip", {f"{name}_assignsubmission_file_/lab4.ipynb": notebook()})
    sheet = tmp_path / "Grades.csv"
    sheet.write_text(
        "Identifier,Full name,Last modified (submission)\nParticipant 501,B\u00e9la M\u00fcller,whenever\n",
        encoding="utf-8",
    )
    assert main(["collect", str(zipped), "--times", str(sheet), "--submissions", str(tmp_path / "in")]) == 0
    assert [p.name for p in (tmp_path / "in").iterdir() if p.is_dir()] == ["B\u00e9la_M\u00fcller_501"]
    assert "Grades.csv has no readable time for B\u00e9la_M\u00fcller_501" in capsys.readouterr().out


def test_no_such_archive(tmp_path, capsys):
    assert main(["collect", str(tmp_path / "none.zip")]) == 2
    assert capsys.readouterr().err == f"there is no file {tmp_path / 'none.zip'}\n"
