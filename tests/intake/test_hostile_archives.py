"""Archives and notebooks that a hostile or unlucky student makes: each costs at most that student's submission."""

import contextlib
import io
import resource
import struct
import zipfile

import pytest

from autograder.cli import main
from autograder.errors import BadArchive
from autograder.intake.collect import collect
from tests.intake.archives import LAB, METADATA, archive, marks, notebook, own_zip, stamp


def link(name):
    """Return a zip entry that is a symbolic link."""
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
    "no notebook": ({"x.pdf": b"%PDF"}, "it contains no notebook"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_zip_is_rejected_with_a_reason_and_affects_no_other_student(tmp_path, case):
    files, sentence = HOSTILE[case]
    evil = own_zip({**files} if case == "no notebook" else {**files, f"{LAB.name}.ipynb": notebook("evil")})
    zipped = archive(tmp_path / "s.zip", {"eve_1_10_lab.zip": evil, "ada_2_11_lab.ipynb": notebook("ada")})
    result = collect(zipped, tmp_path / "in")
    assert marks(tmp_path / "in") == {"ada_2": "ada"}
    assert len(result.skipped) == 1 and sentence in result.skipped[0] and "eve_1" in result.skipped[0], result.skipped
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "s.zip"]


def test_a_damaged_lzma_stream_affects_no_other_student(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as out:
        out.writestr("lab4.ipynb", notebook("x" * 20_000))
    packed = bytearray(buffer.getvalue())
    packed[60:400] = bytes(byte ^ 0x5A for byte in packed[60:400])
    files = {"eve_1_2_x.zip": bytes(packed), "ada_3_4_x.ipynb": notebook("honest")}
    result = collect(archive(tmp_path / "s.zip", files), tmp_path / "in")
    assert marks(tmp_path / "in") == {"ada_3": "honest"} and "damaged" in "".join(result.skipped)


def test_links_encryption_and_lies_about_the_size(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr(link("x.ipynb"), "/etc/passwd")
    linked = buffer.getvalue()
    secret = bytearray(own_zip({"x.ipynb": notebook()}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        secret[secret.index(signature) + offset] |= 1
    # A bomb whose headers claim 10 bytes; what they claim is not trusted.
    lying = bytearray(own_zip({"x.ipynb": b"0" * 2**21}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", lying, lying.index(signature) + offset, 10)
    torn = own_zip({"x.ipynb": notebook("torn")})[:-30]
    files = {f"{name}_{i}_{i}0_lab.zip": bytes(data) for i, (name, data) in enumerate(
        {"link": linked, "locked": secret, "liar": lying, "torn": torn}.items(), 1)}  # fmt: skip
    result = collect(archive(tmp_path / "s.zip", {**files, "ada_9_9_x.ipynb": notebook("ada")}), tmp_path / "in", LAB)
    assert marks(tmp_path / "in") == {"ada_9": "ada"}
    reasons = {line.split("_")[0]: line for line in result.skipped}
    assert "it is a link" in reasons["link"] and "it is encrypted" in reasons["locked"]
    assert "damaged" in reasons["liar"] and "not a readable zip" in reasons["torn"]


def test_a_link_and_a_bomb_in_the_lms_archive_itself(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(link("eve_1_2_x.ipynb"), "/etc/passwd")
        out.writestr("bob_2_3_x.ipynb", b" " * (70 * 2**20))
        out.writestr("a/../../mal_3_4_x.ipynb", notebook())
        out.writestr("ada_4_5_x.ipynb", notebook("ada"))
    result = collect(tmp_path / "s.zip", tmp_path / "in", LAB)
    assert marks(tmp_path / "in") == {"ada_4": "ada"}
    assert [line.split(": ")[2][:12] for line in result.skipped] == ["it is a link", "it unpacks t", "its name lea"]


def test_names_that_are_too_long_for_a_file(tmp_path):
    """Students name the files in a zip, and some names of people are long in UTF-8."""
    files = {
        "eve_1_10_lab.zip": own_zip({"x" * 300 + ".ipynb": notebook("eve")}),
        "bob_2_11_" + "é" * 200 + ".ipynb": notebook("bob"),
        "名" * 100 + "_3_12_x.ipynb": notebook("long"),
        "名" * 101 + "_4_13_x.ipynb": notebook("longer"),
    }
    result = collect(archive(tmp_path / "s.zip", files), tmp_path / "in", LAB)
    assert not result.skipped
    found = marks(tmp_path / "in")
    assert sorted(found.values()) == ["bob", "eve", "long", "longer"]
    assert found["eve_1"] == "eve" and sorted(student[-2:] for student in found) == ["_1", "_2", "_3", "_4"]


def test_a_time_beyond_the_calendar(tmp_path):
    metadata = METADATA.replace("2026-12-01 02:00:00 +02:00", "9999-12-31 23:59:59 -12:00")
    files = {"submission_metadata.yml": metadata.encode(), "submission_12/x.ipynb": notebook("late")}
    collect(archive(tmp_path / "g.zip", files), tmp_path / "in", LAB)
    assert set(marks(tmp_path / "in")) == {"ben@uni.edu", "Chi_Li"} and stamp(tmp_path / "in", "Chi_Li") is None


@pytest.mark.parametrize("data", [b"", b"no zip", own_zip({}), own_zip({"x.pdf": b"%PDF"})], ids=len)
def test_a_file_that_is_no_archive_of_an_lms_is_rejected_with_one_sentence(tmp_path, data, capsys):
    (tmp_path / "x.zip").write_bytes(data)
    assert main(["collect", str(tmp_path / "x.zip"), "--submissions", str(tmp_path / "in")]) == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0 and "Traceback" not in said and ("zip" in said or "archive" in said)


@pytest.mark.parametrize("text", [b"{", b"- 1", b"\xff\xfe\x00"])
def test_damaged_metadata(tmp_path, text):
    zipped = archive(tmp_path / "g.zip", {"submission_metadata.yml": text, "submission_1/x.ipynb": notebook()})
    with pytest.raises(BadArchive, match="cannot be read"):
        collect(zipped, tmp_path / "in")


ROWS = "".join(f"- {i}\n" for i in range(1_000_000))
ALIASES = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
BOMBS = {"a million rows": f"submission_1:\n  :submitters:\n{ROWS}", "aliases": ALIASES, "deep": "[" * 100_000}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_metadata_that_would_fill_the_memory_is_rejected(tmp_path, text):
    zipped = archive(tmp_path / "g.zip", {"submission_metadata.yml": text.encode(), "submission_1/x.ipynb": notebook()})
    with resident_growth_below(1500 * 2**20), pytest.raises(BadArchive, match="cannot be read"):
        collect(zipped, tmp_path / "in")


@contextlib.contextmanager
def resident_growth_below(limit):
    """Fail if the process's largest size grows by more than `limit` bytes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < limit


ODD = {
    "submitters are a number": "submission_1:\n  :submitters: 5\n",
    "an id with colons": "submission_1:\n  :submitters:\n  - :sid: 1:1:1:1:1:1:1:1\n",
    "20,000 submitters": "submission_1:\n  :submitters:\n" + "  - :sid: x\n" * 20_000,
    "a Python object": "submission_1: !!python/object:os.system {}\n",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_metadata_costs_nobody_else_anything(tmp_path, text):
    good = (
        "submission_2:\n  :submitters:\n  - :name: Ada\n    :sid: 00123\n"
        "  :created_at: 2026-11-30 21:14:00.000000000 Z\n"
    )
    files = {"submission_1/x.ipynb": notebook("odd"), "submission_2/x.ipynb": notebook("ada")}
    zipped = archive(tmp_path / "g.zip", {"submission_metadata.yml": (text + good).encode(), **files})
    collect(zipped, tmp_path / "in")
    assert marks(tmp_path / "in")["00123"] == "ada", "an id is text"
    assert stamp(tmp_path / "in", "00123").startswith("2026-11-30 21:14:00")


def test_a_zip_with_a_name_that_is_no_utf8_is_rejected_with_a_sentence(tmp_path, capsys):
    zipped = archive(tmp_path / "x.zip", {"ä_1_2_lab.ipynb": notebook()})
    zipped.write_bytes(zipped.read_bytes().replace("ä".encode(), b"\xff\xff"))
    assert main(["collect", str(zipped), "--submissions", str(tmp_path / "in")]) == 2
    said = capsys.readouterr().err
    assert "not a readable zip archive" in said and "Traceback" not in said


def test_a_name_is_never_a_path(tmp_path):
    metadata = "submission_1:\n  :submitters:\n  - :name: '../../../etc'\n  - :sid: '..'\n  :created_at: 2026-01-01\n"
    zipped = archive(
        tmp_path / "g.zip", {"submission_metadata.yml": metadata.encode(), "submission_1/x.ipynb": notebook()}
    )
    collect(zipped, tmp_path / "in")
    assert sorted(p.name for p in (tmp_path / "in").iterdir() if p.is_dir()) == ["etc", "nobody"]


@pytest.mark.parametrize("own", ["file", "zip", "student"])
def test_a_name_that_is_too_long_for_file_systems_affects_no_other_student(tmp_path, own):
    long = "é" * 150  # 300 bytes
    files = {
        "file": {f"eve_1_2_{long}.ipynb": notebook("eve")},
        "zip": {"eve_1_2_lab.zip": own_zip({f"{long}.ipynb": notebook("eve")})},
        "student": {f"{long}_1_2_x.ipynb": notebook("eve"), f"{long}_2_3_x.ipynb": notebook("eve")},
    }[own]
    result = collect(archive(tmp_path / "s.zip", {**files, "ada_3_4_x.ipynb": notebook("ada")}), tmp_path / "in")
    found = marks(tmp_path / "in")
    assert found.pop("ada_3") == "ada" and set(found.values()) == {"eve"} and result.skipped == ()
    assert len(found) == (2 if own == "student" else 1), "two long names are two students"
