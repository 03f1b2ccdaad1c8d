"""Run a command as a user who is not root: `python -m tests.as_user pytest …`, as root or not.

Someone who is not root already runs the command as it is. Root becomes the user `nobody`, with a home of its own, in a
mount namespace in which the folders of Python and of the course can be reached: root's home is closed to others.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from autograder import ROOT

NOBODY = 65534
IN_NAMESPACE = "LAB_TESTS_IN_NAMESPACE"


def closed_ancestor(path: Path) -> Path | None:
    """Return the outermost folder above a path that other users may not enter, or None."""
    above = [*reversed(path.parents)]
    return next((folder for folder in above if not folder.stat().st_mode & 0o001), None)


def open_up(path: Path) -> None:
    """Cover the closed folder above a path with one in memory in which the path alone is mounted."""
    closed = closed_ancestor(path)
    if closed is None:
        return
    with tempfile.TemporaryDirectory() as place:
        mount("--bind", str(path), place)
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(closed))
        path.mkdir(parents=True)
        mount("--move", place, str(path))


def mount(*words: str) -> None:
    """Run `mount`."""
    subprocess.run(["mount", *words], check=True)


def main(words: list[str]) -> int:
    """Run a command, and return its exit code."""
    command = [sys.executable, "-m", *words]
    if os.geteuid() != 0:
        return subprocess.run(command).returncode
    if IN_NAMESPACE not in os.environ:
        again = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.as_user", *words]
        return subprocess.run(again, env=os.environ | {IN_NAMESPACE: "1"}).returncode
    for path in {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), ROOT}:
        open_up(path)
    with tempfile.TemporaryDirectory(prefix="lab-user-") as home:
        os.chown(home, NOBODY, NOBODY)
        environment = {name: value for name, value in os.environ.items() if name != IN_NAMESPACE}
        environment |= {"HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1", "USER": "nobody"}
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        return subprocess.run([*user, *command], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
