"""A graded course, and a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from autograder.running.bubblewrap import bubblewrap
from tests.gradebook.small_class import grade, grade_manually, submit


@pytest.fixture
def quick_gradebook(monkeypatch):
    """Let nbgrader make gradebooks without starting alembic, which takes seconds and only writes its version."""
    monkeypatch.setattr("nbgrader.api.get_alembic_version", lambda: "of a test")


@pytest.fixture(scope="session")
def course(request, tmp_path_factory):
    """A course with a graded class, where one written answer of ada is graded manually."""
    folder = tmp_path_factory.mktemp("course")
    submit(folder / "submitted")
    grade(folder, request.getfixturevalue("scheduler") if bubblewrap() else None)
    grade_manually(f"sqlite:///{folder / 'gradebook.db'}")
    return folder


def postgres_programs() -> Path | None:
    """Return the folder with PostgreSQL's programs, or None. Debian keeps one folder for each version, outside PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name)) + [
        Path(shutil.which(name) or "/none").resolve().parent for name in ("initdb",)
    ]
    return next((p for p in reversed(places) if (p / "initdb").exists() and (p / "pg_ctl").exists()), None)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """The address of an empty database on a PostgreSQL server of our own, which needs a password."""
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
