"""Bubblewrap: find it, say why it cannot start, and write the command that starts the template under it."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from autograder import ROOT
from autograder.errors import SandboxError
from autograder.running.limits import Limits

READ_ONLY = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")
TRY_S = 600  # until a sandbox that does nothing has ended; a busy machine may need long
INSIDE = ROOT / "autograder" / "running" / "inside"  # the package that runs inside


def bubblewrap() -> str | None:
    """Return the path of the program, or None where it is not installed."""
    return shutil.which("bwrap")


def require_bubblewrap() -> None:
    """Check once that a sandbox can start, so that a class gets one message and not one for every student.

    Raises:
        SandboxError: bubblewrap is missing, or the system does not let it start.
    """
    program = bubblewrap()
    if program is None:
        raise SandboxError(
            "bubblewrap is not installed, and without it a submission could read and write everything that you can. "
            "Install it with `make sandbox`, or run harmless notebooks with `--sandbox none`."
        )
    command = [program, "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TRY_S)
    except subprocess.TimeoutExpired as error:
        raise SandboxError(
            f"bubblewrap did not end within {TRY_S} s, though it had nothing to do: the machine has too much other "
            "work, or a disk does not answer. Run the command again later."
        ) from error
    if tried.returncode:
        words = " ".join(tried.stderr.split())[:300]
        raise SandboxError(
            f"bubblewrap is installed, but the system does not let it start ({words}). Ubuntu 23.10 and later forbid "
            "what it needs; `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` allows it until the next "
            "start."
        )


@functools.lru_cache
def bubblewrap_knows(option: str) -> bool:
    """Return whether this version has an option. Older versions lack `--disable-userns`; the call filter covers it."""
    return option in subprocess.run([bubblewrap() or "bwrap", "--help"], capture_output=True, text=True).stdout


def template_environment(python_path: str, scratch: str) -> dict[str, str]:
    """Return the environment variables of the template; nothing of the grader's own environment is passed on.

    Args:
        python_path: the folder with `utils` in it.
        scratch: the one folder that a notebook may write to.
    """
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LAB_SCRATCH": scratch,
        "LAB_BUDGET": "grade",
        "PYTHONPATH": python_path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
        "MPLCONFIGDIR": f"{scratch}/matplotlib",
        "IPYTHONDIR": f"{scratch}/ipython",
    }


def bubblewrap_command(limits: Limits, options: Sequence[str] = ()) -> list[str]:
    """Return the command that starts the template in a sandbox.

    No network, a process namespace of its own, no capabilities; everything is read-only but a scratch folder in memory.

    Args:
        limits: what one submission may use.
        options: of the program inside.

    Raises:
        SandboxError: the Python environment and the course are the same folder.
    """
    program = bubblewrap() or "bwrap"
    command = [
        program, "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--die-with-parent",
        "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--clearenv", "--proc", "/proc", "--dev", "/dev",
        "--size", str(limits.scratch_bytes), "--tmpfs", "/dev/shm",
        "--size", str(limits.scratch_bytes), "--tmpfs", "/tmp",
    ]  # fmt: skip
    if bubblewrap_knows("--disable-userns"):
        command.append("--disable-userns")
    command += environment_mounts()
    command += ["--ro-bind", str(ROOT / "utils"), "/course/utils"]
    for path in sorted(INSIDE.glob("*.py")):
        command += ["--ro-bind", str(path), f"/course/inside/{path.name}"]
    for key, value in template_environment("/course", "/tmp").items():
        command += ["--setenv", key, value]
    # The root and /dev are memory file systems that bubblewrap made, without a limit: they become read-only.
    command += ["--remount-ro", "/dev", "--remount-ro", "/"]
    return [*command, "--chdir", "/tmp", "--", sys.executable, "-s", "-m", "inside.runner", *options]


def environment_mounts() -> list[str]:
    """Return the options that show the system and the Python environment inside, and hide the course.

    Raises:
        SandboxError: the Python environment and the course are the same folder.
    """
    prefixes = {Path(p).resolve() for p in (sys.prefix, sys.base_prefix)} | {Path(sys.prefix)}
    if ROOT in prefixes:
        raise SandboxError(
            f"Python's environment and the course are one folder, {ROOT}: the sandbox would show the verdicts to "
            "students. Make an environment in a folder of its own; `make` makes .venv."
        )
    options: list[str] = []
    # An environment below /tmp: the folders that lead to it are read-only too, and survive the wiping of /tmp.
    leading = {Path("/tmp", p.relative_to("/tmp").parts[0]) for p in prefixes if p.is_relative_to("/tmp")} - prefixes
    for folder in sorted(leading):
        options += ["--tmpfs", str(folder)]
    inside_course = {prefix for prefix in prefixes if prefix.is_relative_to(ROOT)}
    for place in READ_ONLY:
        options += ["--ro-bind-try", place, place]
    for prefix in sorted(prefixes - inside_course):
        options += ["--ro-bind", str(prefix), str(prefix)]
    # A course below one of these, in /usr/src for example: an empty folder covers it.
    shown = [*READ_ONLY, *map(str, prefixes - inside_course)]
    covered = any(ROOT.is_relative_to(Path(place).resolve()) for place in shown)
    if covered:
        options += ["--tmpfs", str(ROOT)]
    for prefix in sorted(inside_course):
        options += ["--ro-bind", str(prefix), str(prefix)]
    for prefix in sorted(prefixes):
        for installed in prefix.glob("lib/python*/site-packages/autograder"):
            options += ["--tmpfs", str(installed), "--remount-ro", str(installed)]  # no verdict inside
    for folder in sorted(leading | ({ROOT} if covered else set())):
        options += ["--remount-ro", str(folder)]
    return options
