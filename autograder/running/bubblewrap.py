"""Find bubblewrap, and say in a sentence why it cannot start."""

from __future__ import annotations

import functools
import shutil
import subprocess

from autograder.errors import SandboxError


def bubblewrap() -> str | None:
    return shutil.which("bwrap")


def require_bubblewrap() -> None:
    """Before a class is begun: a sandbox that cannot start is one sentence, not one for every student.

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
    tried = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    if tried.returncode:
        words = " ".join(tried.stderr.split())[:300]
        raise SandboxError(
            f"bubblewrap is installed, but the system does not let it start ({words}). Ubuntu 23.10 and later forbid what it "
            "needs; `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` allows it until the next start."
        )


@functools.lru_cache
def bubblewrap_knows(option: str) -> bool:
    """Older versions lack `--disable-userns`; the filter of system calls refuses `unshare` there too."""
    return option in subprocess.run([bubblewrap(), "--help"], capture_output=True, text=True).stdout
