"""Archives beside those of Canvas, Moodle and Gradescope, made as the pages named in autograder/intake/lms describe."""

import csv

import pytest

from autograder.cli import main
from autograder.errors import BadArchive
from autograder.intake.collect import collect
from autograder.intake.people import Person, read_people
from tests.intake.archives import LAB, METADATA, archive, marks, notebook, own_zip, stamp

NAME = f"{LAB.name}.ipynb"


def test_brightspace(tmp_path):
    base = "Lab 4 Download Nov 30, 2026 930 PM/"
    files = {
        f"{base}39786-640693 - Ada Lovelace - Nov 29, 2026 914 AM/lab4.ipynb": notebook("first"),
        f"{base}39786-640693 - Ada Lovelace - Nov 30, 2026 914 PM/lab4.ipynb": notebook("second"),
        f"{base}39787-640693 - Béla O'Brien- Dec 1, 2026 1205 AM/lab4.zip": own_zip({NAME: notebook("zipped")}),
        # Students choose what follows the time. It must not turn chi into ada.
        f"{base}39788-640693 - Chi - Nov 30, 2026 1000 AM/1-2 - Ada - Nov 30, 2026 1000 AM - x.ipynb": notebook("chi"),
        f"{base}39789-640693 - Dia Do - 30 nov. 2026 22 h 14/lab4.ipynb": notebook("French"),
        f"{base}39790-640693 - N0123456 - Eve Noor - Nov 30, 2026 11:59 PM/lab4.ipynb": notebook("own number"),
        f"{base}index.html": b"<html>",
        f"__MACOSX/{base}39786-640693 - Ada Lovelace - Nov 30, 2026 914 PM/._lab4.ipynb": b"\0",
    }
    result = collect(archive(tmp_path / "b.zip", files), tmp_path / "in", timezone="America/New_York")
    assert result.layout == "Brightspace" and result.local_times
    assert marks(tmp_path / "in") == {
        "Ada_Lovelace_39786": "second",
        "Béla_O_Brien_39787": "zipped",
        "Chi_39788": "chi",
        "Dia_Do_39789": "French",
        "N0123456": "own number",
    }
    assert stamp(tmp_path / "in", "Ada_Lovelace_39786") == "2026-12-01 02:14:00 UTC"
    assert stamp(tmp_path / "in", "Béla_O_Brien_39787") == "2026-12-01 05:05:00 UTC"
    assert stamp(tmp_path / "in", "N0123456") == "2026-12-01 04:59:00 UTC"
    assert any("Ada_Lovelace_39786 submitted a later attempt" in line for line in result.skipped)
    people = read_people(tmp_path / "in")
    assert people["Béla_O_Brien_39787"] == Person("Béla", "O'Brien") and people["Chi_39788"] == Person("", "Chi")


def test_brightspace_without_folders(tmp_path):
    files = {"271836-442356 - Blake Payne - Dec 5, 2026 1149 AM - lab4 - final.ipynb": notebook("flat")}
    collect(archive(tmp_path / "b.zip", files), tmp_path / "in")
    assert marks(tmp_path / "in") == {"Blake_Payne_271836": "flat"}
    assert stamp(tmp_path / "in", "Blake_Payne_271836") == "2026-12-05 11:49:00 UTC"


def test_a_time_that_brightspace_writes_in_another_language_is_named(tmp_path):
    files = {"1-2 - Dia - 30 frimaire, 2026 2214/lab4.ipynb": notebook("x")}
    result = collect(archive(tmp_path / "b.zip", files), tmp_path / "in")
    assert marks(tmp_path / "in") == {"Dia_1": "x"} and stamp(tmp_path / "in", "Dia_1") is None
    assert len(result.notes) == 1 and "'30 frimaire, 2026 2214' cannot be read" in result.notes[0]


RECEIPT = """\
Name: {name} ({user})
Assignment: Lab 4
Date Submitted: Monday, November 30, 2026 9:14:05 PM EST
Current Grade: Needs Grading

Submission Field:
Name: Eve (eve)
"""


def test_blackboard(tmp_path):
    def receipt(user, name):
        return RECEIPT.format(name=name, user=user).encode()

    files = {
        "Lab 4_alovelace_attempt_2026-11-29-08-00-00.txt": receipt("alovelace", "Ada Lovelace"),
        "Lab 4_alovelace_attempt_2026-11-29-08-00-00_lab4.ipynb": notebook("first"),
        "Lab 4_alovelace_attempt_2026-11-30-21-14-05.txt": receipt("alovelace", "Ada Lovelace"),
        "Lab 4_alovelace_attempt_2026-11-30-21-14-05_lab4.ipynb": notebook("second"),
        "Lab 4_b_obrien_attempt_2026-11-30-21-14-05.txt": receipt("b_obrien", "Béla O'Brien"),
        "Lab 4_b_obrien_attempt_2026-11-30-21-14-05_lab4.zip": own_zip({NAME: notebook("zipped")}),
        # Students choose what follows the time. It must not turn 00123 into ada.
        "Lab 4_00123_attempt_2026-11-30-21-14-05_Lab 4_alovelace_attempt_2026-12-30-21-14-05_x.ipynb": notebook("chi"),
        "Lab 4_dia_attempt_2026-11-30-21-14-05.txt": receipt("dia", "Dia Do"),  # a text, and no file
    }
    result = collect(archive(tmp_path / "b.zip", files), tmp_path / "in", timezone="America/New_York")
    assert result.layout == "Blackboard" and result.missing == ["dia"]
    assert marks(tmp_path / "in") == {"alovelace": "second", "b_obrien": "zipped", "00123": "chi"}
    assert stamp(tmp_path / "in", "alovelace") == "2026-12-01 02:14:05 UTC"
    assert read_people(tmp_path / "in") == {
        "alovelace": Person("Ada", "Lovelace"),
        "b_obrien": Person("Béla", "O'Brien"),
    }


ROSTER = (
    '"identifier","github_username","github_id","name"\n"ada@uni.edu","ada-l","1","Ada Lovelace"\n"42","ben","2",""\n'
)
GRADES = (
    "assignment_name,assignment_url,starter_code_url,github_username,roster_identifier,student_repository_name,"
    "student_repository_url,submission_timestamp,points_awarded,points_available\n"
    "Lab 4,u,s,ada-l,ada@uni.edu,lab4-ada-l,r,2026-11-30T21:14:05Z,0,0\n"
    "Lab 4,u,s,ben,Ben Bo,lab4-ben,r,2026-11-30 23:14:05 CEST,0,0\n"
)


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
def test_github_classroom(tmp_path, packed):
    files = {
        "lab4-submissions/lab4-ada-l/labs/lab4.ipynb": notebook("ada"),
        "lab4-submissions/lab4-ada-l/README.md": b"# Lab",
        "lab4-submissions/lab4-ada-l/.git/config": b"[core]\nfsmonitor = touch /tmp/owned\n",
        "lab4-submissions/lab4-ada-l/settings.json": b"{}",
        "lab4-submissions/lab4-ben/lab4-submissions/lab4-ada-l/x.ipynb": notebook("ben"),
        "lab4-submissions/lab4-chi/README.md": b"nothing",
        "lab4-submissions/classroom_roster.csv": ROSTER.encode(),
    }
    (tmp_path / "grades.csv").write_text(GRADES)
    if packed:
        given = archive(tmp_path / "g.zip", files)
    else:
        given = tmp_path / "lab4-submissions"
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        (given / "lab4-ben" / "link.ipynb").symlink_to(given / "lab4-ada-l" / "labs" / "lab4.ipynb")
    result = collect(given, tmp_path / "in", LAB, times=tmp_path / "grades.csv")
    assert result.layout == "GitHub Classroom" and result.missing == ["chi"]
    assert marks(tmp_path / "in") == {"ada-l": "ada", "ben": "ben"}
    assert stamp(tmp_path / "in", "ada-l") == "2026-11-30 21:14:05 UTC" and stamp(tmp_path / "in", "ben") is None
    skipped = "\n".join(result.skipped)
    assert "README" not in skipped and "the time zone 'CEST' cannot be resolved" in skipped
    assert packed or "link.ipynb: it is a link" in skipped
    assert read_people(tmp_path / "in") == {
        "ada-l": Person("Ada", "Lovelace", "ada@uni.edu"),
        "ben": Person("Ben", "Bo"),
    }


@pytest.mark.parametrize("outer", ["", "submitted/", "course/submitted/"])
def test_nbgraders_own_layout(tmp_path, outer):
    files = {
        f"{outer}00123/{LAB.name}/{NAME}": notebook("ada"),
        f"{outer}00123/{LAB.name}/timestamp.txt": b"2026-11-30 21:14:05 Europe/Berlin\n",
        f"{outer}ben/{LAB.name}/{NAME}": notebook("ben"),
        f"{outer}ben/{LAB.name}/timestamp.txt": b"2026-11-30 21:14:05 PST\n",
        f"{outer}chi/{LAB.name}/timestamp.txt": b"2026-11-30 21:14:05 UTC\n",
    }
    if outer == "course/submitted/":  # a whole course
        files |= {f"course/autograded/00123/{LAB.name}/{NAME}": notebook("old"), "course/gradebook.db": b"SQLite"}
        files |= {f"course/release/{LAB.name}/{NAME}": notebook("blank")}
    result = collect(archive(tmp_path / "n.zip", files), tmp_path / "in")
    assert result.layout == "nbgrader"
    assert marks(tmp_path / "in") == {"00123": "ada", "ben": "ben"}
    assert stamp(tmp_path / "in", "00123") == "2026-11-30 20:14:05 UTC" and stamp(tmp_path / "in", "ben") is None
    assert len(result.notes) == 1 and "the time zone 'PST' cannot be resolved" in result.notes[0]


PLAIN = {
    "flat": {"ada.ipynb": "ada", "00123.ipynb": "ben", "chi.zip": "chi"},
    "a folder around": {"lab 4/ada.ipynb": "ada", "lab 4/00123.ipynb": "ben", "lab 4/chi.zip": "chi"},
    "folders": {"x/ada/lab4.ipynb": "ada", "x/00123/deep/er/my notebook.ipynb": "ben", "x/chi/lab4.zip": "chi"},
    "with the lab's name": {f"{LAB.name}_ada.ipynb": "ada", "00123-lab4.ipynb": "ben", f"chi {LAB.name}.zip": "chi"},
}


@pytest.mark.parametrize("case", PLAIN)
def test_a_folder_of_notebooks(tmp_path, case):
    files = {
        name: own_zip({NAME: notebook(mark)}) if name.endswith(".zip") else notebook(mark)
        for name, mark in PLAIN[case].items()
    }
    result = collect(archive(tmp_path / "p.zip", files), tmp_path / "in")
    assert result.layout == "a folder of notebooks"
    assert marks(tmp_path / "in") == {"ada": "ada", "00123": "ben", "chi": "chi"}


def test_a_folder_with_one_student(tmp_path):
    collect(archive(tmp_path / "p.zip", {"class/ada/lab4.ipynb": notebook("ada")}), tmp_path / "in")
    assert marks(tmp_path / "in") == {"ada": "ada"}


def test_a_file_that_says_nothing_about_its_student_is_named(tmp_path):
    files = {NAME: notebook("?"), "lab4 (1).ipynb": notebook("?"), "ada.ipynb": notebook("ada")}
    result = collect(archive(tmp_path / "p.zip", files), tmp_path / "in")
    assert marks(tmp_path / "in") == {"ada": "ada"}
    assert sum("does not say whose file it is" in line for line in result.skipped) == 2


@pytest.mark.parametrize("kind", ["empty zip", "empty folder", "other files", "no zip"])
def test_what_holds_no_submission_is_rejected_with_a_sentence_that_names_the_layouts(tmp_path, kind, capsys):
    given = tmp_path / "x"
    if kind == "empty folder":
        given.mkdir()
    elif kind == "no zip":
        given.write_bytes(b"Rar!")
    else:
        archive(given, {} if kind == "empty zip" else {"report.docx": b"", "a/b/index.html": b""})
    assert main(["collect", str(given), "--submissions", str(tmp_path / "in")]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said and "Traceback" not in said
    names = ["Canvas", "Moodle", "Gradescope", "Brightspace", "Blackboard", "GitHub Classroom", "nbgrader"]
    if kind == "no zip":
        assert "not a readable zip" in said
    else:
        assert all(name in said for name in names)


def test_a_damaged_entry_affects_no_other_student(tmp_path):
    zipped = archive(tmp_path / "p.zip", {"ada.ipynb": notebook("ada"), "ben.ipynb": notebook("ben" * 1000)})
    data = bytearray(zipped.read_bytes())
    data[data.rindex(b"ben.ipynb", 0, data.index(b"PK\x01\x02")) + 500] ^= 0xFF
    zipped.write_bytes(data)
    result = collect(zipped, tmp_path / "in")
    assert marks(tmp_path / "in") == {"ada": "ada"} and "ben.ipynb: it is damaged" in "".join(result.skipped)


def test_an_unknown_time_zone_is_refused(tmp_path, capsys):
    zipped = archive(tmp_path / "p.zip", {"ada.ipynb": notebook("ada")})
    for zone in ("PST", "CEST", "../../etc/passwd", ""):
        assert main(["collect", str(zipped), "--timezone", zone, "--submissions", str(tmp_path / "in")]) == 2
        assert "cannot be resolved" in capsys.readouterr().err
    assert not (tmp_path / "in").exists()


def test_names_of_gradescope_are_kept_and_cannot_break_a_table(tmp_path):
    metadata = METADATA.replace("Ada Lovelace", "'=cmd|x!A1 <script>Ada</script>, Lovelace'")
    files = {
        "submission_metadata.yml": metadata.encode(),
        "submission_11/x.ipynb": notebook(),
        "submission_12/x.ipynb": notebook(),
    }
    collect(archive(tmp_path / "g.zip", files), tmp_path / "in")
    table = tmp_path / "in" / "students.csv"
    with table.open(encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows["ben@uni.edu"] == {"id": "ben@uni.edu", "first_name": "", "last_name": "Ben", "email": "ben@uni.edu"}
    assert rows["u100"]["email"] == "ada@uni.edu" and rows["Chi_Li"]["last_name"] == "Li"
    assert not set("<>,;|=") & set(rows["u100"]["first_name"] + rows["u100"]["last_name"])
    assert table.stat().st_mode & 0o077 == 0


def test_a_second_archive_adds_names_and_keeps_those_that_are_known(tmp_path):
    moodle = {"Ada Lovelace_501_assignsubmission_file/lab4.ipynb": notebook()}
    sheet = tmp_path / "Grades.csv"
    head = "Identifier,Full name,Email address,Last modified (submission)\n"
    sheet.write_text(head + 'Participant 501,Ada Lovelace,ada@uni.edu,"Monday, 30 November 2026, 9:14 PM"\n')
    result = collect(archive(tmp_path / "m.zip", moodle), tmp_path / "in", times=sheet, timezone="Europe/Berlin")
    assert result.local_times and stamp(tmp_path / "in", "Ada_Lovelace_501") == "2026-11-30 20:14:00 UTC"
    collect(archive(tmp_path / "m.zip", moodle), tmp_path / "in")
    collect(archive(tmp_path / "c.zip", {"chi_1_2_x.ipynb": notebook()}), tmp_path / "in")
    assert read_people(tmp_path / "in") == {
        "Ada_Lovelace_501": Person("Ada", "Lovelace", "ada@uni.edu"),
        "chi_1": Person("", "chi"),
    }


def test_a_table_of_names_that_cannot_be_read_is_reported(tmp_path):
    (tmp_path / "students.csv").write_text("name\nada\n")
    with pytest.raises(BadArchive, match="has no column 'id'"):
        read_people(tmp_path)
