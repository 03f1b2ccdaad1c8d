"""A full disk, a read-only store, a file system without locks, a wrong clock, two graders, a weak secret."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

import pytest

from autograder import ROOT, files
from autograder.cli import main
from autograder.errors import CourseLocked, ExitCode, GradebookError, SecretError, StoreError
from autograder.gradebook import lock
from autograder.gradebook.lock import course_lock
from autograder.judging import class_run as class_run_module
from autograder.judging.class_run import open_class, run_class
from autograder.running import store as stores
from autograder.running.challenge_keys import read_secret
from autograder.running.passes import execute_task
from autograder.running.run_types import Run
from autograder.running.store import Store
from tests.lab4_class import make_class

KEY, OTHER = "ab" + "0" * 62, "ab" + "1" * 62
RUN = Run("digest", {"lab4.cfg_drift": ((b"{}", b"x" * 5000),)})


@pytest.fixture
def store(tmp_path):
    """A store with one run."""
    made = Store(tmp_path / "store", {})
    made.save(KEY, RUN)
    return made


def failing(code, after=0):
    """Return a function that fails like a system call, after some calls that do not."""
    calls = []

    def fail(*arguments, **options):
        calls.append(arguments)
        if len(calls) > after:
            raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("code", "cure"), [(errno.ENOSPC, "make room"), (errno.EROFS, "mount"), (errno.EDQUOT, "quota")]
)
@pytest.mark.parametrize("written", range(4))
def test_a_disk_that_fills_up_at_any_file_loses_no_stored_run(store, monkeypatch, code, cure, written):
    """The disk takes some of the files of a new run, and then no more."""
    with monkeypatch.context() as patch:
        patch.setattr(stores, "write_synced", failing(code, after=written))
        with pytest.raises(StoreError, match=rf"cannot be written \({os.strerror(code)}\).*{cure}"):
            store.save(OTHER, RUN)
    assert store.load(KEY) == RUN and OTHER not in store
    assert [path.name for path in store.folder_of(KEY).parent.iterdir()] == [KEY], "nothing is left half-written"
    store.save(OTHER, RUN)
    assert store.load(OTHER) == RUN


def test_a_full_disk_is_noticed_before_anything_runs(tmp_path, lab4, monkeypatch):
    course = make_class(tmp_path, 1)
    class_run = open_class(lab4, course / "submitted", course)
    monkeypatch.setattr(files.os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(StoreError, match="make room on that disk, and repeat the same command"):
        run_class(class_run, protected=False)
    assert list(class_run.store.folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_real_small_disk(tmp_path):
    """Runs are stored until a disk of 256 KB is full; then a sentence, and all runs before are whole."""
    program = (
        "import sys, pathlib\n"
        "from autograder.errors import StoreError\nfrom autograder.running.run_types import Run\n"
        "from autograder.running.store import Store\n"
        "store, kept = Store(pathlib.Path(sys.argv[1], 'store'), {}), []\n"
        "try:\n"
        "    for number in range(100):\n"
        "        key = f'{number:064x}'\n"
        "        store.save(key, Run('digest', {'x': ((b'{}', bytes(20_000)),)}))\n"
        "        kept.append(key)\n"
        "except StoreError as error:\n"
        "    print(error)\n"
        "assert kept and all(key in store for key in kept) and len(store.keys()) == len(kept)\n"
    )
    command = f'mount -t tmpfs -o size=256k none {tmp_path} && exec {sys.executable} -c "$0" {tmp_path}'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, program],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this container may not mount anything")
    assert done.returncode == 0, done.stderr
    assert "No space left on device" in done.stdout and "make room on that disk" in done.stdout


def test_a_store_that_may_only_be_read_is_read(store, monkeypatch):
    """`regrade` and `report` need no more."""
    monkeypatch.setattr(stores, "write_synced", failing(errno.EROFS))
    assert Store(store.folder, {}).load(KEY) == RUN
    with pytest.raises(StoreError, match="mount the file system for writing"):
        store.require_writable()


def test_a_store_that_cannot_be_used_is_a_sentence(tmp_path, capsys):
    assert main(["store", "verify", "--course", str(tmp_path)]) == ExitCode.WRONG_INPUT
    assert "No such file or directory" in capsys.readouterr().err and not list(tmp_path.iterdir())
    (tmp_path / "store").write_text("a file")
    assert main(["store", "verify", "--course", str(tmp_path)]) == ExitCode.WRONG_INPUT
    said = capsys.readouterr().err
    assert "the store" in said and "cannot be used" in said and "Traceback" not in said


def test_verify_lists_what_is_damaged_and_prune_removes_what_is_old(tmp_path, store, capsys):
    store.save(OTHER, RUN)
    words = ["--course", str(tmp_path)]
    assert main(["store", "verify", *words]) == ExitCode.DONE
    assert "2 stored runs" in capsys.readouterr().out
    (store.folder_of(OTHER) / "1.0.json").write_text("{ }")
    assert main(["store", "verify", *words]) == ExitCode.MISSED
    said = capsys.readouterr().out
    assert f"damaged: ab/{OTHER}: 1.0.json is not what was written" in said and KEY not in said
    os.utime(store.folder_of(OTHER), (0, 0))
    assert main(["store", "prune", "--older-than", "30", *words]) == ExitCode.DONE
    assert "1 run removed" in capsys.readouterr().out and store.keys() == [KEY]


def test_a_damaged_run_is_run_again_and_said(tmp_path, capsys, unprotected, monkeypatch):
    def run_here(tasks, limits, protected, *_):
        assert not protected
        for key, task in tasks.items():
            yield key, execute_task(task, unprotected)

    monkeypatch.setattr(class_run_module, "run_all", run_here)
    course = make_class(tmp_path, 2)
    words = ["lab4", "--course", str(course), "--no-gradebook"]
    once = ["--sandbox", "none"]
    assert main(["grade", *words, *once]) == ExitCode.DONE
    before = capsys.readouterr().out
    evidence = sorted((course / "store").glob("*/*/1.0.json"))[0]
    evidence.write_bytes(evidence.read_bytes() + b" ")
    assert main(["regrade", *words]) == ExitCode.DONE
    said = capsys.readouterr()
    assert "the stored run is damaged (1.0.json is not what was written), so it was not judged" in said.out
    assert "was damaged and was not judged" in said.err
    assert main(["grade", *words, *once]) == ExitCode.DONE
    said = capsys.readouterr()
    assert "1 of them run now" in said.out and "the stored run of 1 of 2 students was damaged" in said.err
    assert "autograder store verify" in said.err
    assert [line for line in before.splitlines() if "/ 14" in line] == [
        line for line in said.out.splitlines() if "/ 14" in line
    ], "the same points as before"


def test_a_grader_whose_clock_is_wrong_removes_no_run_of_another(store, monkeypatch):
    """Its `sweep` takes the files of another grader, which is writing them, for those of a killed one."""
    write, swept = stores.write_synced, []

    def write_and_be_swept(path, data):
        write(path, data)
        if path.name == "run.json" and not swept:
            swept.append(path)
            now = time.time()
            monkeypatch.setattr(stores.time, "time", lambda: now + 10 * 86_400)
            Store(store.folder, {})
            monkeypatch.setattr(stores.time, "time", lambda: now)

    monkeypatch.setattr(stores, "write_synced", write_and_be_swept)
    store.save(OTHER, RUN)
    assert swept and store.load(OTHER) == RUN and store.load(KEY) == RUN


def test_two_graders_of_one_course(tmp_path):
    """The second one learns who is grading; when that process is killed, the lock is free."""
    program = "import sys, pathlib, time\nfrom autograder.gradebook.lock import course_lock\n"
    program += "with course_lock(pathlib.Path(sys.argv[1])):\n    print('locked', flush=True)\n    time.sleep(600)\n"
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        assert other.stdout.readline() == b"locked\n"
        with (
            pytest.raises(CourseLocked, match=rf"process {other.pid} of .* on .* since ") as locked,
            course_lock(tmp_path),
        ):
            pass
        assert locked.value.exit_code == ExitCode.MISSED
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with course_lock(tmp_path):
        pass


def test_a_file_system_without_locks_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(lock.fcntl, "flock", failing(errno.ENOLCK))
    with pytest.raises(GradebookError, match=r"a file system without locks.*local disk"), course_lock(tmp_path):
        pass


SECRETS = {
    "empty": (b"", 0o600, "is empty", "rm "),
    "blank": (b" \n", 0o600, "is empty", "rm "),
    "short": (b"0123456789abcde", 0o600, "has only 15 bytes", "rm "),
    "readable by all": (b"x" * 64, 0o644, "other users of this machine may read", "chmod 600 "),
    "readable by the group": (b"x" * 64, 0o640, "other users of this machine may read", "chmod 600 "),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_protects_nothing_is_refused_with_the_command_that_fixes_it(name, tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_SECRET")
    data, mode, found, cure = SECRETS[name]
    path = tmp_path / ".secret"
    path.write_bytes(data)
    path.chmod(mode)
    with pytest.raises(SecretError) as refused:
        read_secret(path)
    assert found in str(refused.value) and f"{cure}{path}" in str(refused.value)
    path.unlink()
    assert (
        len(read_secret(path)) == 64 and path.stat().st_mode & 0o777 == 0o600 and read_secret(path) == read_secret(path)
    )


@pytest.mark.parametrize("value", ["", "short"])
def test_a_weak_secret_in_the_environment_is_refused(value, monkeypatch, tmp_path):
    monkeypatch.setenv("LAB_SECRET", value)
    with pytest.raises(SecretError, match="unset LAB_SECRET"):
        read_secret(tmp_path / ".secret")
