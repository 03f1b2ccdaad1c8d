"""A small class in a gradebook, graded by the command that instructors use; and a real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import ROOT
from autograder.course.labs import find_lab
from autograder.demo import CLASS, as_colab_saves
from autograder.running.bubblewrap import bubblewrap
from utils.checks.exercise import load

LAB = find_lab("lab4")
ESSAY = next(entry for entry in load("lab4") if entry.name == "lab4.unet_essay")


def hand_in(folder: Path) -> None:
    """Ada solves everything; dia has one known mistake. Their ids are as `autograder collect` makes them for Canvas."""
    for student, who in (("lovelaceada_101", "ada"), ("dia@uni.edu", "dia")):
        target = folder / student / LAB.name
        target.mkdir(parents=True)
        (target / f"{LAB.name}.ipynb").write_text(nbformat.v4.writes(as_colab_saves(CLASS[who](LAB))))


def autograder(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "autograder", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=300,
    )


def grade(course: Path, **environment: str) -> subprocess.CompletedProcess:
    command = ["grade", "lab4", "--course", str(course), "--workers", "2", "--no-feedback"]
    done = autograder(*command, *(["--sandbox", "none"] if bubblewrap() is None else []), **environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done


def grade_by_hand(url: str) -> None:
    """What formgrader does when a TA types: ada's essay gets 1.5 of 2 and a comment, her other written answer stays open."""
    from nbgrader.api import Gradebook

    with Gradebook(url, "guidance-labs") as book:
        found = book.find_grade("lab4_unet_essay", LAB.name, LAB.name, "lovelaceada_101")
        found.manual_score, found.needs_manual_grade = 1.5, False
        note = book.find_comment(ESSAY.answer_id, LAB.name, LAB.name, "lovelaceada_101")
        note.manual_comment = "Say where the skip *connections* go."
        ada = book.find_student("lovelaceada_101")
        ada.first_name, ada.last_name = "Ada", "Lovelace"
        book.db.commit()


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    hand_in(folder / "submitted")
    grade(folder, LAB_GRADEBOOK="")
    grade_by_hand(f"sqlite:///{folder / 'gradebook.db'}")
    return folder


def postgres_programs() -> Path | None:
    """Debian keeps them off the PATH, one folder a version."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name)) + [
        Path(shutil.which(name) or "/none").resolve().parent for name in ("initdb",)
    ]
    return next((p for p in reversed(places) if (p / "initdb").exists() and (p / "pg_ctl").exists()), None)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """A server of its own on loopback, in a temporary folder, with a password. The address of an empty database."""
    programs = postgres_programs()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is missing in CI: `make postgres` installs it")
        pytest.skip("PostgreSQL is not installed (make postgres)")
    # Not below pytest's folder, which only its owner may enter: the server refuses to run as root.
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/postgres-test-XXXXXX"], text=True).strip())
    password = folder / "password"
    password.write_text("s3cret%")
    as_server: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        shutil.chown(password, "postgres", "postgres")
        as_server = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(name: str, *words: str) -> None:
        # Output to a file: the server inherits it, and a pipe would never close.
        with open(folder / "log", "a") as log:
            done = subprocess.run([*as_server, str(programs / name), *words], cwd=folder, stdout=log, stderr=log)
        assert done.returncode == 0, (folder / "log").read_text()[-2000:]

    data = str(folder / "data")
    try:
        call("initdb", "-D", data, "-U", "ta", "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c fsync=off"
        call("pg_ctl", "-D", data, "-w", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://ta:s3cret%25@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
