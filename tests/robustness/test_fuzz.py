"""What comes from outside is read or rejected with a sentence, whatever it is. Hypothesis looks for exceptions."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.errors import BadArchive, NotANotebook
from autograder.gradebook.extensions import read_extension
from autograder.gradebook.outputs import safe_outputs
from autograder.gradebook.staging import read_time
from autograder.intake.collect import collect, read_timestamp
from autograder.intake.lms.brightspace import parse_local
from autograder.intake.lms.worksheets import parse_moodle_time
from autograder.intake.notebook import open_notebook
from autograder.intake.repair import repair
from autograder.intake.times import parse_time
from autograder.judging.evidence import BadEvidence, unpack
from autograder.running.frames import Frames
from autograder.running.limits import Limits
from autograder.running.outputs import read_outputs
from tests.intake.archives import LAB, METADATA, notebook, own_zip
from utils.checks.evidence import VERSION, Evidence
from utils.checks.exercise import find

SHORT, LONG = 40, 4000
ENTRY = find("lab4.cfg_drift")
text = st.text(st.characters(codec=None), max_size=40)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)
NAMES = ("cell_type", "source", "metadata", "outputs", "id", "attachments", "nbgrader", "grade_id", "tags", "text")
SOURCES = (
    "# GRADED: lab4.cfg_drift\nx",
    "# TEST: lab4.cfg_drift",
    "<!-- GRADED: lab4.unet_essay -->",
    "check('lab4.x')",
)


def nested(leaves):
    """Return a strategy of dictionaries with the names that notebooks use."""
    return st.dictionaries(st.sampled_from(NAMES), leaves, max_size=6)


cells = nested(
    values | st.sampled_from(("code", "markdown", "raw", *SOURCES)) | nested(values | st.just("lab4_cfg_drift"))
)
notebooks = st.fixed_dictionaries(
    {"cells": st.lists(cells | values, max_size=6)},
    optional={
        "metadata": values | nested(values),
        "nbformat": values | st.sampled_from((3, 4, 5)),
        "nbformat_minor": values,
    },
)
times = text | st.datetimes().map(str) | st.from_regex(r"[0-9 :+\-TZ.]{1,40}", fullmatch=True)


def mutations(base: bytes) -> st.SearchStrategy[bytes]:
    """Return a strategy of files like this one, with a few bytes replaced."""
    edit = st.tuples(st.integers(0, len(base)), st.integers(0, 20), st.binary(max_size=20))

    def apply(edits):
        data = base
        for at, length, new in edits:
            data = data[:at] + new + data[at + length :]
        return data

    return st.lists(edit, min_size=1, max_size=4).map(apply)


def honest_evidence() -> tuple[bytes, bytes]:
    """Return evidence as a probe writes it."""
    import torch

    evidence = Evidence(ENTRY.name)
    evidence.put("drift", torch.arange(6.0).reshape(2, 3))
    evidence.put("number", 0.5)
    return evidence.to_json(), evidence.to_safetensors()


HONEST = honest_evidence()
documents = mutations(HONEST[0]) | values.map(lambda value: json.dumps(value).encode()) | st.fixed_dictionaries(
    {"exercise": st.just(ENTRY.name), "version": st.just(VERSION), "values": values, "kinds": values, "errors": values}
).map(lambda value: json.dumps(value).encode())  # fmt: skip


def read_notebook(data, folder):
    """Read and repair a file."""
    path = folder / "x.ipynb"
    path.write_bytes(data)
    try:
        repair(open_notebook(path)[0], LAB)
    except NotANotebook as error:
        assert "\n" not in str(error)


def read_archive(data, folder):
    """Collect an archive."""
    path = folder / "x.zip"
    path.write_bytes(data)
    try:
        collect(path, folder / "in", LAB)
    except BadArchive as error:
        assert "\n" not in str(error)


def read_evidence(data, folder):
    """Unpack evidence."""
    try:
        unpack(ENTRY, *data)
    except BadEvidence as error:
        assert str(error).startswith("it")


def read_frames(data, folder):
    """Read frames until there are no more."""
    ours, theirs = socket.socketpair()
    control, other = socket.socketpair()
    with ours, theirs, control, other:
        theirs.sendall(data)
        theirs.close()
        frames = Frames(ours, control, Limits(frames=20), 0, Calm())
        for _ in range(100):
            found = frames.next()
            if isinstance(found, str):
                assert found in ("death", "flood")
                return
        raise AssertionError("frames without end")


class Calm:
    """A watch that sees nothing."""

    def look(self) -> str:
        return ""


def read_times_of(data, folder):
    """Read a text as a time, in every place where one is read."""
    parse_local(data)
    parse_moodle_time(data)
    path = folder / "timestamp.txt"
    path.write_text(data, encoding="utf-8", errors="surrogatepass")
    read_timestamp(path)
    for read in (lambda: parse_time(data), lambda: read_time(path), lambda: read_extension(data)):
        with contextlib.suppress(ValueError):  # and nothing else
            read()


def read_shown(data, folder):
    """Bring outputs from a sandbox to a page."""
    safe_outputs(read_outputs(json.dumps({"outputs": data}).encode())["outputs"])
    safe_outputs(data)


def zipped(members: dict[str, bytes]) -> bytes:
    """Return an archive as an LMS makes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, data in members.items():
            out.writestr(name, data)
    return buffer.getvalue()


SMALL = notebook()[:2000]
CANVAS = zipped({"ada_1_2_x.ipynb": SMALL, "eve_3_4_x.zip": own_zip({"x.ipynb": SMALL})})
GRADESCOPE = zipped({"submission_metadata.yml": METADATA.encode(), "submission_11/x.ipynb": SMALL})
headers = st.dictionaries(text | st.just("sizes"), values | st.lists(st.integers(-5, 2**40), max_size=3), max_size=3)
frames = st.lists(
    st.binary(max_size=60) | headers.map(lambda header: json.dumps(header).encode() + b"\n"), max_size=6
).map(b"".join)
keys = ("output_type", "name", "text", "data", "ename", "evalue", "traceback", "metadata")
kinds = st.sampled_from(("stream", "error", "display_data", "execute_result"))
outputs = st.lists(st.dictionaries(st.sampled_from(keys), values | kinds, max_size=6), max_size=4)
SUBJECTS = {
    "notebooks": (notebooks.map(lambda value: json.dumps(value).encode()) | mutations(SMALL), read_notebook),
    "archives": (mutations(CANVAS) | mutations(GRADESCOPE), read_archive),
    "evidence": (st.tuples(documents, mutations(HONEST[1]) | st.just(HONEST[1])), read_evidence),
    "frames": (frames, read_frames),
    "times": (times, read_times_of),
    "outputs": (outputs, read_shown),
}


def fuzz(subject: str, examples: int, folder) -> None:
    """Read so many files of one kind; the examples are the same in every run."""
    strategy, read = SUBJECTS[subject]

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def check(data):
        read(data, folder)

    check()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_some_files_of_each_kind(subject, tmp_path):
    fuzz(subject, SHORT, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS)
def test_many_files_of_each_kind(subject, tmp_path):
    fuzz(subject, LONG, tmp_path)
