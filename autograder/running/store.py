"""Stored runs: content-addressed, written beside and renamed, so that a killed grader loses only what was in flight.

A key names the code that ran and its challenges, so the same submission never runs twice. With each run the versions of
the probes that ran are stored. When a probe has changed since, the stored evidence is stale and reported.

`digests.json` has the SHA-256 of each file of a run and is compared whenever the run is read. Disks lose bits, and a
run that lost one would be judged as if the student had answered something else. A damaged run counts as none.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from autograder.errors import StoreError
from autograder.files import rename_synced, sync_folder, temporary_name, write_synced
from autograder.running.run_types import MAX_COPIES, Run, Task

HALF_WRITTEN_S = 3600  # after this, a run that is still half written belongs to a grader that was killed
PUBLIC_FIELDS = ("submission_hash", "problems", "cpu_s", "wall_s", "memory_kb", "protected")
DIGESTS = "digests.json"


def task_key(task: Task) -> str:
    """Return the key of a task's run."""
    document = json.dumps([task.submission_hash, sorted(task.challenge_keys.items())])
    return hashlib.sha256(document.encode()).hexdigest()


class DamagedRun(KeyError):
    """Raised when a stored run is not as it was written. `why` is a clause for a person."""

    def __init__(self, key: str, why: str):
        self.why = why
        super().__init__(f"the stored run {key} is damaged: {why}")


class Store:
    """A folder of runs, readable only by its owner.

    Several graders may use it at the same time, also on a network file system: each run is written under a name that
    no other grader uses, and renamed, which the server does in one step.

    Args:
        folder: where the runs are.
        versions: exercise -> the present version of its probe.
        make: make the folder if it does not exist.

    Raises:
        StoreError: it cannot be made or read.
    """

    def __init__(self, folder: Path, versions: Mapping[str, int], make: bool = True):
        self.folder = folder
        self.versions = dict(versions)
        try:
            if make:
                folder.mkdir(parents=True, exist_ok=True)
            if folder.stat().st_mode & 0o077:
                folder.chmod(0o700)
            os.listdir(folder)
        except OSError as error:
            raise StoreError(f"the store {folder} cannot be used: {error.strerror}") from error
        self.sweep()

    def require_writable(self) -> None:
        """Check that a run can be stored, before any notebook runs.

        Raises:
            StoreError: it cannot; the message says why.
        """
        probe = temporary_name(self.folder / "probe")
        try:
            write_synced(probe, "x" * 4096)
        except OSError as error:
            raise self.not_stored(error) from error
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)

    def not_stored(self, error: OSError) -> StoreError:
        """Return the error that says why a run could not be stored, and what to do."""
        cures = {
            errno.ENOSPC: "make room on that disk",
            errno.EDQUOT: "make room within your quota",
            errno.EROFS: "mount the file system for writing",
        }
        cure = cures.get(error.errno or 0, "make the folder writable for you")
        return StoreError(
            f"the store {self.folder} cannot be written ({error.strerror}), so finished runs would be lost. Those that "
            f"were stored before are safe: {cure}, and repeat the same command"
        )

    def sweep(self) -> None:
        """Remove the half-written runs of graders that were killed."""
        for left in self.folder.glob("*/.*"):
            with contextlib.suppress(FileNotFoundError):  # another grader has just renamed or removed it
                if time.time() - left.stat().st_mtime > HALF_WRITTEN_S:
                    shutil.rmtree(left, ignore_errors=True)

    def keys(self) -> list[str]:
        """Return the keys of all runs, damaged ones too."""
        return sorted(path.name for path in self.folder.glob("??/*") if path.is_dir() and not path.name.startswith("."))

    def folder_of(self, key: str) -> Path:
        """Return the folder of one run."""
        return self.folder / key[:2] / key

    def __contains__(self, key: str) -> bool:
        """Return whether the run of this key can be used: it is undamaged, and its evidence is not stale."""
        return self.can_use(key, protected=False)

    def can_use(self, key: str, protected: bool) -> bool:
        """Return whether the run of this key can be used; with `protected`, only one that was made in the sandbox."""
        return self.usable(key, protected) is not None

    def usable(self, key: str, protected: bool) -> Run | None:
        """Return the run of this key if it can be used, as `can_use` says, and None otherwise. It is read once."""
        try:
            run = self.load(key)
        except KeyError:
            return None
        return run if not self.stale(key) and (run.protected or not protected) else None

    def stale(self, key: str) -> dict[str, tuple[int, int]]:
        """Return the exercises whose probe has changed since this run: exercise -> its version then and now.

        Versions that are missing or cannot be read count as 0, so that such a run is never taken for a fresh one.
        """
        folder, then = self.folder_of(key), {}
        if not folder.is_dir():
            return {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            document = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
            then = {name: int(document.get(name, 0)) for name in self.versions}
        return {name: (then.get(name, 0), now) for name, now in self.versions.items() if then.get(name, 0) != now}

    def damage(self, key: str) -> str:
        """Return why the run of this key is damaged, as a clause; "" if it is not, or if there is none."""
        try:
            self.load(key)
        except DamagedRun as error:
            return error.why
        except KeyError:
            pass
        return ""

    def save(self, key: str, run: Run) -> None:
        """Write a run. It replaces one that is stale, damaged or unprotected; of two that can be used, one stays.

        Raises:
            StoreError: the disk is full, for example.
        """
        try:
            for _ in range(3):  # a grader whose clock is wrong may take our files for those of a killed one
                if self.try_to_save(key, run) or self.can_use(key, run.protected):
                    return
        except OSError as error:
            raise self.not_stored(error) from error
        raise StoreError(f"the run {key} could not be stored: another program changes {self.folder} all the time")

    def try_to_save(self, key: str, run: Run) -> bool:
        """Write a run, and return whether it has its final name now."""
        final = self.folder_of(key)
        if not final.parent.is_dir():
            final.parent.mkdir(exist_ok=True)
            sync_folder(self.folder)
        beside, old = temporary_name(final), temporary_name(final)
        try:
            beside.mkdir(mode=0o700)
            self.write_run(beside, key, run)
            if not self.can_use(key, run.protected):
                with contextlib.suppress(FileNotFoundError):  # there is none, or another grader was faster
                    os.rename(final, old)
            rename_synced(beside, final)
            return True
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY):  # our files are gone, or there is a run
                return False
            raise
        finally:
            for left in (beside, old):
                shutil.rmtree(left, ignore_errors=True)

    def write_run(self, folder: Path, key: str, run: Run) -> None:
        """Write the files of one run, and their digests."""
        files: dict[str, bytes] = {}
        counts = {}
        for number, (name, copies) in enumerate(run.evidence.items(), start=1):
            counts[name] = len(copies)
            for index, (text, tensors) in enumerate(copies[:MAX_COPIES]):
                files[f"{number}.{index}.json"] = text
                files[f"{number}.{index}.safetensors"] = tensors
        document = {name: getattr(run, name) for name in PUBLIC_FIELDS}
        document |= {"evidence": counts, "outputs": {str(index): output for index, output in run.outputs.items()}}
        files["versions.json"] = json.dumps(self.versions).encode()
        files["run.json"] = json.dumps(document).encode()
        for name, data in files.items():
            write_synced(folder / name, data)
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        write_synced(folder / DIGESTS, json.dumps({"key": key, "files": digests}))

    def load(self, key: str) -> Run:
        """Return the run of this key.

        Raises:
            DamagedRun: it is not as it was written.
            KeyError: there is none.
        """
        files = self.read_files(key)
        try:
            document = json.loads(files["run.json"])
            facts = {name: document[name] for name in PUBLIC_FIELDS}
            evidence = {
                name: tuple(
                    (files[f"{number}.{index}.json"], files[f"{number}.{index}.safetensors"])
                    for index in range(min(count, MAX_COPIES))
                )
                for number, (name, count) in enumerate(document["evidence"].items(), start=1)
            }
            outputs = {int(index): output for index, output in document["outputs"].items()}
            return Run(**facts | {"problems": tuple(facts["problems"])}, evidence=evidence, outputs=outputs)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedRun(key, "run.json cannot be read") from error

    def read_files(self, key: str) -> dict[str, bytes]:
        """Return the files of a run by their names, after comparing their digests.

        Raises:
            DamagedRun: a file is missing or differs from what was written.
            KeyError: there is no such run.
        """
        folder = self.folder_of(key)
        if not folder.is_dir():
            raise KeyError(f"no run {key}")
        try:
            document = json.loads((folder / DIGESTS).read_bytes())
            digests = dict(document["files"])
            if document["key"] != key:
                raise DamagedRun(key, "it is the run of another submission")
        except FileNotFoundError as error:
            raise DamagedRun(key, f"{DIGESTS} is missing; older versions wrote none") from error
        except (OSError, ValueError, TypeError, LookupError) as error:
            if isinstance(error, DamagedRun):
                raise
            raise DamagedRun(key, f"{DIGESTS} cannot be read") from error
        files = {}
        for name, digest in digests.items():
            try:
                files[name] = (folder / Path(name).name).read_bytes()
            except OSError as error:
                raise DamagedRun(key, f"{name} cannot be read ({error.strerror})") from error
            if hashlib.sha256(files[name]).hexdigest() != digest:
                raise DamagedRun(key, f"{name} is not what was written")
        return files

    def remove(self, key: str) -> None:
        """Remove a run."""
        shutil.rmtree(self.folder_of(key), ignore_errors=True)

    def written(self, key: str) -> float:
        """Return when a run was written, in seconds since 1970; 0 if that cannot be told."""
        try:
            return self.folder_of(key).stat().st_mtime
        except OSError:
            return 0.0
