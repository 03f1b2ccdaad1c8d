"""The keys of challenges, made from the instructor's secret and the submission.

A key is unknown to students, the same on resume, regrade and appeal, and of no use for another submission.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from autograder import ROOT
from autograder.errors import SecretError
from autograder.files import create_file
from utils.checks.challenge import Challenge
from utils.checks.exercise import Exercise

LEAST_SECRET = 16  # bytes


def read_secret(path: Path | None = None) -> bytes:
    """Return the course's secret. It is made on first use, readable only by its owner; `LAB_SECRET` overrides it.

    Raises:
        SecretError: it is empty, short, or readable by others, so that challenges could be computed.
    """
    if (text := os.environ.get("LAB_SECRET")) is not None:
        require_long(text.encode(), "LAB_SECRET", "unset LAB_SECRET")
        return text.encode()
    path = path or ROOT / ".secret"
    if not path.exists():
        create_file(path, secrets.token_hex(32), mode=0o600)  # if another process was faster, its secret counts
    try:
        mode, secret = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise SecretError(f"the course's secret {path} cannot be read ({error.strerror}): chmod 600 {path}") from error
    if mode & 0o077:
        raise SecretError(
            f"other users of this machine may read the course's secret {path}, and could compute what an answer is "
            f"tested with. If nobody has read it: chmod 600 {path}"
        )
    require_long(secret, f"the course's secret {path}", f"rm {path}")
    return secret


def require_long(secret: bytes, name: str, cure: str) -> None:
    """Check that a secret cannot be guessed.

    Raises:
        SecretError: it can.
    """
    if len(secret) < LEAST_SECRET:
        what = f"has only {len(secret)} bytes" if secret else "is empty"
        raise SecretError(
            f"{name} {what}, so students could compute what an answer is tested with; at least {LEAST_SECRET} bytes "
            f"are needed. To use a new one: {cure} (then every notebook runs again)"
        )


def make_challenge(secret: bytes, entry: Exercise, release: str, submission_hash: str) -> Challenge:
    """Return the challenge of one answer.

    Its key is the HMAC of the lab, the exercise, the release and the submission's hash, separated by a byte that none
    of them contains.
    """
    message = "\0".join([entry.lab, entry.name, release, submission_hash]).encode()
    return Challenge(entry.name, hmac.new(secret, message, hashlib.sha256).digest())
