"""What the LMS gives, and what a hostile student makes of it."""

import io
import struct
import zipfile
from datetime import datetime

import nbformat
import pytest

from autograder.cli import main
from autograder.course.labs import find_lab
from autograder.demo import blank
from autograder.errors import BadArchive
from autograder.intake.collect import collect
from autograder.judging.class_run import find_submissions

LAB = find_lab("lab4")


def notebook(mark="") -> bytes:
    """A submission that can be told from others."""
    copy = blank(LAB)
    copy.cells.append(nbformat.v4.new_markdown_cell(mark))
    return nbformat.writes(copy).encode()


def archive(path, files: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


def own_zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return buffer.getvalue()


def marks(folder):
    """Student -> the mark in the notebook that will be graded, found as grading finds it."""
    found = find_submissions(folder, LAB)
    return {student: nbformat.read(path, 4).cells[-1].source for student, path in found.items()}


def stamp(folder, student):
    path = folder / student / LAB.name / "timestamp.txt"
    return path.read_text().strip() if path.exists() else None


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
    left = "\n".join(result.left)
    assert "9001_lab4.ipynb: not the latest of lovelaceada_101" in left
    assert "holiday.png: neither a notebook nor a zip" in left
    assert "readme.txt: its name does not say whose it is" in left
    assert len(result.taken) == len(result.left) == 3


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
            # The file's name is the student's to choose. It must not make chi into ada.
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
    told = [line for line in result.left if line.startswith("Grades.csv")]
    assert len(told) == 1 and "Chi_503" in told[0] and "lundi 30 novembre" in told[0]
    assert marks(tmp_path / "in") == {
        "Ada_Lovelace_501": "folder",
        "Béla_O_Brien_502": "flat",
        "Chi_503": "chi",
        "Eve_Noor_505": "as Moodle 4.1 and later",
    }
    assert stamp(tmp_path / "in", "Ada_Lovelace_501") == "2026-11-30 21:14:00 UTC"
    assert stamp(tmp_path / "in", "Béla_O_Brien_502") is None and stamp(tmp_path / "in", "Chi_503") is None


def test_moodles_worksheet_may_spell_a_name_otherwise_or_not_at_all(tmp_path):
    zipped = archive(tmp_path / "moodle.zip", {"Group A-Sean OBrien_502_assignsubmission_file/lab4.ipynb": notebook()})
    for names in (
        "Identifier,Full name,Last modified (submission)\nParticipant 502,Sean O'Brien,",
        "Identifier,Last modified (submission)\nParticipant 502,",
    ):
        sheet = tmp_path / "Grades.csv"
        sheet.write_text(names + '"Monday, 30 November 2026, 9:14 PM"\n')
        collect(zipped, tmp_path / "in", times=sheet)
        assert stamp(tmp_path / "in", "Group_A-Sean_OBrien_502") == "2026-11-30 21:14:00 UTC"


def test_a_corrected_time_for_late_ones_takes_effect(tmp_path):
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
def test_the_labs_own_name_counts_more_than_a_copys(tmp_path, other):
    from autograder.gradebook.gradescope import handed_in

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
        assert nbformat.read(handed_in(folder, LAB, scratch), 4).cells[-1].source == "this"


def test_what_is_collected_is_for_its_owner_only(tmp_path):
    collect(archive(tmp_path / "s.zip", {"a_1_2_x.ipynb": notebook()}), tmp_path / "in")
    assert (tmp_path / "in").stat().st_mode & 0o077 == 0


METADATA = """\
---
submission_11:
  :submitters:
  - :name: Ada Lovelace
    :sid: 'u100'
    :email: ada@uni.edu
  :created_at: 2026-11-30 21:14:05.123456000 Z
  :score: 0.0
  :history: []
submission_12:
  :submitters:
  - :name: Ben
    :email: ben@uni.edu
  - :name: Chi Li
  :created_at: 2026-12-01 02:00:00 +02:00
submission_13:
  :submitters:
  - :name: Ada Lovelace
    :sid: 'u100'
  :created_at: 2026-11-30 23:00:00 Z
"""


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
    assert any("submission_14" in line and "whose" in line for line in result.left)


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
    assert "later one" in result.left[0] and not result.taken


def test_broken_notebooks_are_taken_where_the_lab_is_known_so_that_grading_tells_the_student(tmp_path):
    zipped = archive(tmp_path / "s.zip", {"a_1_2_x.ipynb": b"{not json", "b_2_3_x.ipynb": notebook("b")})
    assert "a_1_2" not in str(collect(zipped, tmp_path / "named", LAB).left)
    assert set(find_submissions(tmp_path / "named", LAB)) == {"a_1", "b_2"}
    assert "is not JSON" in "".join(collect(zipped, tmp_path / "guessed").left)
    assert set(find_submissions(tmp_path / "guessed", LAB)) == {"b_2"}


# Hostile


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry


HOSTILE = {
    "leads out (dots)": ({"../../evil.ipynb": b"{}"}, "leads out"),
    "leads out (absolute)": ({"/tmp/evil.ipynb": b"{}"}, "leads out"),
    "leads out (backslashes)": ({"..\\evil.ipynb": b"{}"}, "leads out"),
    "leads out (drive)": ({"C:evil.ipynb": b"{}"}, "leads out"),
    "a bomb": ({"x.ipynb": b"0" * (40 * 2**20)}, "as zip bombs do"),
    "many files": ({f"{i}.ipynb": b"" for i in range(1001)}, "the limit is 1,000"),
    "no notebook": ({"x.pdf": b"%PDF"}, "no notebook is in it"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_zip_is_refused_in_a_sentence_and_costs_nobody_else(tmp_path, case):
    files, sentence = HOSTILE[case]
    evil = own_zip({**files} if case == "no notebook" else {**files, f"{LAB.name}.ipynb": notebook("evil")})
    zipped = archive(tmp_path / "s.zip", {"eve_1_10_lab.zip": evil, "ada_2_11_lab.ipynb": notebook("ada")})
    result = collect(zipped, tmp_path / "in")
    assert marks(tmp_path / "in") == {"ada_2": "ada"}
    assert len(result.left) == 1 and sentence in result.left[0] and "eve_1" in result.left[0], result.left
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "s.zip"]


def test_a_damaged_lzma_stream_costs_nobody_else(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as out:
        out.writestr("lab4.ipynb", notebook("x" * 20_000))
    packed = bytearray(buffer.getvalue())
    packed[60:400] = bytes(byte ^ 0x5A for byte in packed[60:400])
    files = {"eve_1_2_x.zip": bytes(packed), "ada_3_4_x.ipynb": notebook("honest")}
    result = collect(archive(tmp_path / "s.zip", files), tmp_path / "in")
    assert marks(tmp_path / "in") == {"ada_3": "honest"} and "damaged" in "".join(result.left)


def test_links_encryption_and_lies_about_the_size(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr(link("x.ipynb"), "/etc/passwd")
    linked = buffer.getvalue()
    secret = bytearray(own_zip({"x.ipynb": notebook()}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        secret[secret.index(signature) + offset] |= 1
    # A bomb whose headers say 10 bytes: what they claim is not believed.
    lying = bytearray(own_zip({"x.ipynb": b"0" * 2**21}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", lying, lying.index(signature) + offset, 10)
    torn = own_zip({"x.ipynb": notebook("torn")})[:-30]
    files = {f"{name}_{i}_{i}0_lab.zip": bytes(data) for i, (name, data) in enumerate(
        {"link": linked, "locked": secret, "liar": lying, "torn": torn}.items(), 1)}  # fmt: skip
    result = collect(archive(tmp_path / "s.zip", {**files, "ada_9_9_x.ipynb": notebook("ada")}), tmp_path / "in", LAB)
    assert marks(tmp_path / "in") == {"ada_9": "ada"}
    reasons = {line.split("_")[0]: line for line in result.left}
    assert "it is a link" in reasons["link"] and "it is encrypted" in reasons["locked"]
    assert "damaged" in reasons["liar"] and "not a zip that can be read" in reasons["torn"]


def test_a_link_and_a_bomb_in_the_lms_archive_itself(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(link("eve_1_2_x.ipynb"), "/etc/passwd")
        out.writestr("bob_2_3_x.ipynb", b" " * (70 * 2**20))
        out.writestr("a/../../mal_3_4_x.ipynb", notebook())
        out.writestr("ada_4_5_x.ipynb", notebook("ada"))
    result = collect(tmp_path / "s.zip", tmp_path / "in", LAB)
    assert marks(tmp_path / "in") == {"ada_4": "ada"}
    assert [line.split(": ")[2][:12] for line in result.left] == ["it is a link", "it unpacks t", "its name lea"]


def test_names_that_are_too_long_for_a_file(tmp_path):
    """A student names the files in a zip; some people's own names are long in UTF-8."""
    files = {
        "eve_1_10_lab.zip": own_zip({"x" * 300 + ".ipynb": notebook("eve")}),
        "bob_2_11_" + "é" * 200 + ".ipynb": notebook("bob"),
        "名" * 100 + "_3_12_x.ipynb": notebook("long"),
        "名" * 101 + "_4_13_x.ipynb": notebook("longer"),
    }
    result = collect(archive(tmp_path / "s.zip", files), tmp_path / "in", LAB)
    assert not result.left
    found = marks(tmp_path / "in")
    assert sorted(found.values()) == ["bob", "eve", "long", "longer"]
    assert found["eve_1"] == "eve" and sorted(student[-2:] for student in found) == ["_1", "_2", "_3", "_4"]


def test_a_time_beyond_the_calendar(tmp_path):
    metadata = METADATA.replace("2026-12-01 02:00:00 +02:00", "9999-12-31 23:59:59 -12:00")
    files = {"submission_metadata.yml": metadata.encode(), "submission_12/x.ipynb": notebook("late")}
    collect(archive(tmp_path / "g.zip", files), tmp_path / "in", LAB)
    assert set(marks(tmp_path / "in")) == {"ben@uni.edu", "Chi_Li"} and stamp(tmp_path / "in", "Chi_Li") is None


@pytest.mark.parametrize("data", [b"", b"no zip", own_zip({}), own_zip({"x.ipynb": b"{}"})], ids=len)
def test_what_is_no_archive_of_an_lms_is_refused_in_a_sentence(tmp_path, data, capsys):
    (tmp_path / "x.zip").write_bytes(data)
    assert main(["collect", str(tmp_path / "x.zip"), "--submissions", str(tmp_path / "in")]) == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0 and "Traceback" not in said and ("zip" in said or "archive" in said)


@pytest.mark.parametrize("text", [b"{", b"- 1", b"!!python/object:os.system {}", b"\xff\xfe\x00"])
def test_damaged_metadata(tmp_path, text):
    zipped = archive(tmp_path / "g.zip", {"submission_metadata.yml": text, "submission_1/x.ipynb": notebook()})
    with pytest.raises(BadArchive, match="cannot be read"):
        collect(zipped, tmp_path / "in")


def test_a_name_is_never_a_path(tmp_path):
    metadata = "submission_1:\n  :submitters:\n  - :name: '../../../etc'\n  - :sid: '..'\n  :created_at: 2026-01-01\n"
    zipped = archive(
        tmp_path / "g.zip", {"submission_metadata.yml": metadata.encode(), "submission_1/x.ipynb": notebook()}
    )
    collect(zipped, tmp_path / "in")
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == ["etc", "nobody"]


@pytest.mark.parametrize("own", ["file", "zip", "student"])
def test_a_name_that_no_file_system_takes_costs_nobody_else(tmp_path, own):
    long = "é" * 150  # 300 bytes
    files = {
        "file": {f"eve_1_2_{long}.ipynb": notebook("eve")},
        "zip": {"eve_1_2_lab.zip": own_zip({f"{long}.ipynb": notebook("eve")})},
        "student": {f"{long}_1_2_x.ipynb": notebook("eve"), f"{long}_2_3_x.ipynb": notebook("eve")},
    }[own]
    result = collect(archive(tmp_path / "s.zip", {**files, "ada_3_4_x.ipynb": notebook("ada")}), tmp_path / "in")
    found = marks(tmp_path / "in")
    assert found.pop("ada_3") == "ada" and set(found.values()) == {"eve"} and result.left == []
    assert len(found) == (2 if own == "student" else 1), "two long names are two students"


def test_the_command_says_what_it_took_and_what_it_left(tmp_path, capsys):
    zipped = archive(
        tmp_path / "s.zip", {"ada_1_2_x.ipynb": notebook(), "ben_LATE_2_3_x.ipynb": notebook(), "c_3_4_x.doc": b""}
    )
    assert main(["collect", str(zipped), "--lab", "lab4", "--submissions", str(tmp_path / "in")]) == 0
    said = capsys.readouterr().out
    assert "taken  ada_1: lab4_mnist_cfg from ada_1_2_x.ipynb" in said
    assert "LATE by Canvas" in said and "left   c_3: c_3_4_x.doc" in said and "2 taken, 1 left" in said
    assert main(["collect", str(zipped), "--late", "yesterday"]) == 2
    assert main(["collect", str(zipped), "--lab", "lab9"]) == 2


def test_who_handed_in_nothing_usable_is_named(tmp_path, capsys):
    """Also where only a PDF came, which is passed over in silence beside a notebook."""
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
    assert "1 taken, 1 left" in said and "lab4_mnist_cfg: 1 student\n" in said
    assert "chi_3: chi_3_5_x.zip: no notebook is in it, only another zip" in said
    assert "Nothing could be taken from 2, whom grading will not see: ben_2, chi_3" in said


def test_gradescope_names_the_student_of_what_is_left(tmp_path):
    files = {"submission_metadata.yml": METADATA.encode(), "submission_11/x.zip": b"PK"}
    result = collect(archive(tmp_path / "g.zip", files), tmp_path / "in")
    assert result.left == ["u100: submission_11/x.zip: it is not a zip that can be read (File is not a zip file)"]


def test_a_mac_writes_an_umlaut_as_two_letters(tmp_path, capsys):
    name = "Be\u0301la Mu\u0308ller_501"
    zipped = archive(tmp_path / "m.zip", {f"{name}_assignsubmission_file_/lab4.ipynb": notebook()})
    sheet = tmp_path / "Grades.csv"
    sheet.write_text(
        "Identifier,Full name,Last modified (submission)\nParticipant 501,B\u00e9la M\u00fcller,whenever\n",
        encoding="utf-8",
    )
    assert main(["collect", str(zipped), "--times", str(sheet), "--submissions", str(tmp_path / "in")]) == 0
    assert [p.name for p in (tmp_path / "in").iterdir()] == ["B\u00e9la_M\u00fcller_501"]
    assert "Grades.csv has no time that can be read for: B\u00e9la_M\u00fcller_501" in capsys.readouterr().out


def test_no_such_archive(tmp_path, capsys):
    assert main(["collect", str(tmp_path / "none.zip")]) == 2
    assert capsys.readouterr().err == f"there is no file {tmp_path / 'none.zip'}\n"
