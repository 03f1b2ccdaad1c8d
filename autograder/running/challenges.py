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
from autograder.files import create_file
from utils.checks.challenge import Challenge
from utils.checks.exercise import Exercise


def read_secret(path: Path | None = None) -> bytes:
    """Return the course's secret. It is made on first use, readable only by its owner; `LAB_SECRET` overrides it."""
    if text := os.environ.get("LAB_SECRET"):
        return text.encode()
    path = path or ROOT / ".secret"
    if not path.exists():
        create_file(path, secrets.token_hex(32), mode=0o600)  # if another process was faster, its secret counts
    return path.read_bytes().strip()


def make_challenge(secret: bytes, entry: Exercise, release: str, submission: str) -> Challenge:
    """Return the challenge of one answer.

    Its key is the HMAC of the lab, the exercise, the release and the submission's hash, separated by a byte that none
    of them contains.
    """
    message = "\0".join([entry.lab, entry.name, release, submission]).encode()
    return Challenge(entry.name, hmac.new(secret, message, hashlib.sha256).digest())
