"""The store of runs, and the files that it writes."""

import json
import os

import pytest

from autograder.running.run_types import Run
from autograder.running.store import Store

KEY = "ab" + "0" * 62


@pytest.fixture
def store(tmp_path):
    """An empty store, which knows one exercise."""
    return Store(tmp_path / "store", {"lab4.cfg_drift": 1})


def test_a_run_comes_back_as_it_was(store):
    evidence = {"lab4.cfg_drift": ((b"{}", b"tensors"),)}
    run = Run("digest", evidence, {3: {"outputs": []}}, ("a problem",), 1.0, 2.0, 3.0)
    store.save(KEY, run)
    assert KEY in store and store.load(KEY) == run


def test_only_the_owner_reads_the_store(store):
    assert store.folder.stat().st_mode & 0o077 == 0


def test_half_written_runs_are_swept_and_young_ones_left(store):
    old, young = store.folder / "ab" / ".old.1", store.folder / "ab" / ".young.1"
    old.mkdir(parents=True), young.mkdir()
    os.utime(old, (0, 0))
    store.sweep()
    assert not old.exists() and young.exists()


def test_a_run_without_the_sandbox_does_not_stand_where_grading_is_protected(store):
    store.save(KEY, Run("digest", {}, protected=False))
    assert KEY in store and store.can_use(KEY, protected=False) and not store.can_use(KEY, protected=True)
    store.save(KEY, Run("digest", {}))
    store.save(KEY, Run("digest", {}, protected=False))
    assert store.load(KEY).protected, "a protected run is not replaced by one that is not"


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def lose_an_exercise(path):
    document = json.loads(path.read_text())
    document["evidence"].clear()
    path.write_text(json.dumps(document))


DAMAGES = {
    "a flipped bit in the evidence": ("1.0.json", flip_a_bit),
    "a flipped bit in a tensor": ("1.0.safetensors", flip_a_bit),
    "an exercise lost from the run": ("run.json", lose_an_exercise),
    "emptied evidence": ("1.0.json", lambda path: path.write_bytes(b"")),
    "a lost tensor": ("1.0.safetensors", lambda path: path.unlink()),
    "a run cut short": ("run.json", lambda path: path.write_text("[")),
    "a lost run": ("run.json", lambda path: path.unlink()),
    "no versions": ("versions.json", lambda path: path.unlink()),
    "empty versions": ("versions.json", lambda path: path.write_text("")),
    "older versions": ("versions.json", lambda path: path.write_text('{"lab4.cfg_drift": 0}')),
    "no digests": ("digests.json", lambda path: path.unlink()),
    "emptied digests": ("digests.json", lambda path: path.write_text("{}")),
    "digests that are a list": ("digests.json", lambda path: path.write_text("[]")),
    "a flipped bit in the digests": ("digests.json", flip_a_bit),
    "a file that is a folder": ("run.json", lambda path: (path.unlink(), path.mkdir())),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_counts_as_none_and_is_replaced(store, name):
    run = Run("digest", {"lab4.cfg_drift": ((b"{}", b"tensors"),)})
    store.save(KEY, run)
    part, damage = DAMAGES[name]
    damage(store.folder_of(KEY) / part)
    with pytest.raises(KeyError):
        store.load(KEY)
    assert store.damage(KEY), "or nobody would be told"
    assert KEY not in store, "or it would never be run again"
    store.save(KEY, run)
    assert KEY in store and store.load(KEY) == run
    assert [path.name for path in store.folder_of(KEY).parent.iterdir()] == [KEY]


def test_what_another_grader_removes_meanwhile_is_no_error(store, monkeypatch):
    (store.folder / "ab").mkdir()
    monkeypatch.setattr(type(store.folder), "glob", lambda self, pattern: [store.folder / "ab" / ".gone.1"])
    store.sweep()


def test_a_changed_probe_makes_stored_evidence_stale_and_names_it(store):
    store.save(KEY, Run("digest"))
    newer = Store(store.folder, {"lab4.cfg_drift": 2})
    assert newer.stale(KEY) == {"lab4.cfg_drift": (1, 2)} and KEY not in newer
    newer.save(KEY, Run("digest", problems=("newer",)))
    assert KEY in newer and newer.load(KEY).problems == ("newer",)


def test_a_run_of_another_submission_is_not_taken_for_this_one(store):
    other = "ab" + "1" * 62
    store.save(KEY, Run("digest"))
    store.folder_of(KEY).rename(store.folder_of(other))
    assert "another submission" in store.damage(other) and other not in store


def test_missing_versions_are_stale(store):
    store.save(KEY, Run("digest"))
    for text in ("", "[]", '{"lab4.cfg_drift": null}', '{"x": 1}'):
        (store.folder_of(KEY) / "versions.json").write_text(text)
        assert store.stale(KEY) == {"lab4.cfg_drift": (0, 1)}, text
    (store.folder_of(KEY) / "versions.json").unlink()
    assert store.stale(KEY) == {"lab4.cfg_drift": (0, 1)} and store.stale("cd" + "0" * 62) == {}
