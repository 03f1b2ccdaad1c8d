"""The archive of releases: a submission is repaired by its own release."""

import pytest

from autograder.course import releases as archive
from autograder.course.source import read_source, release_hash
from autograder.intake.repair import repair


def test_a_submission_is_repaired_by_its_own_release(lab4, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path))
    old = read_source(lab4)
    setup = next(c for c in old.cells if c.id == "setup")
    setup.source += "\nOLD_RELEASE = True"
    old.metadata["guidance_labs"]["release"] = name = release_hash(old)
    monkeypatch.setattr(archive, "read_source", lambda lab: old)
    archive.archive_release(lab4)
    monkeypatch.undo()
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path))
    archive.find_release.cache_clear()

    submitted = read_source(lab4)
    submitted.metadata["guidance_labs"]["release"] = name
    next(c for c in submitted.cells if c.id == "setup").source = "# edited"
    mended = repair(submitted, lab4)
    assert mended.release == name
    assert "OLD_RELEASE = True" in next(c for c in mended.notebook.cells if c.id == "setup").source
    assert "the locked cell setup was changed; the original was restored" in mended.repairs
    archive.find_release.cache_clear()


def test_a_release_that_the_archive_lacks_is_said(lab4, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path))
    submitted = read_source(lab4)
    submitted.metadata["guidance_labs"]["release"] = "0123456789ab"
    assert any("its release 0123456789ab is not in the archive" in line for line in repair(submitted, lab4).repairs)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "x" * 5000, "0123456789AB"])
def test_a_forged_release_name_reaches_no_file(name, lab4, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path))
    submitted = read_source(lab4)
    submitted.metadata["guidance_labs"]["release"] = name
    assert repair(submitted, lab4).release == read_source(lab4).metadata["guidance_labs"]["release"]


def test_a_damaged_archive_is_named(lab4, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_ARCHIVE", str(tmp_path))
    place = archive.archive_release(lab4).rename(tmp_path / lab4.name / "aaaaaaaaaaaa.ipynb")
    archive.find_release.cache_clear()
    with pytest.raises(RuntimeError, match=r"aaaaaaaaaaaa\.ipynb is damaged"):
        archive.find_release(lab4, place.stem)
