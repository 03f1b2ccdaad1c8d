"""Files are whole, or they are not there."""

import os

import pytest

from autograder.files import create_file, replace_file, write_synced


def test_a_file_is_replaced_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    replace_file(path, "old")
    replace_file(path, b"new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]

    def full_disk(source, target):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "rename", full_disk)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, "newer")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path], "the old content stays, and nothing else"


def test_the_first_of_two_creates_a_file(tmp_path):
    path = tmp_path / "secret"
    assert create_file(path, "first", mode=0o600) and not create_file(path, "second", mode=0o600)
    assert path.read_text() == "first" and path.stat().st_mode & 0o777 == 0o600 and list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    order = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(os, "rename", lambda source, target: (order.append("rename"), rename(source, target)))
    replace_file(tmp_path / "file", "text")
    assert order == ["fsync", "rename", "fsync"]
    with pytest.raises(FileExistsError):
        write_synced(tmp_path / "file", "again")
