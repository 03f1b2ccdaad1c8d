"""Properties of zips, names and evidence that must hold for every input, not only for examples."""

import string
import zipfile
from pathlib import Path

import nbformat
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.judging.evidence import unpack
from utils import submission
from utils.checks.evidence import Evidence
from utils.checks.exercise import find, load
from utils.labs import LABS

LAB = next(iter(LABS))
file_names = st.text(string.ascii_letters + string.digits + "éß中 -_", min_size=1, max_size=12).filter(str.strip)
json_values = st.none() | st.booleans() | st.text(max_size=50) | st.integers(-(2**60), 2**60) | st.floats()
tensors = st.tuples(
    st.lists(st.integers(0, 4), max_size=4), st.sampled_from([torch.float64, torch.float32, torch.int64, torch.bool])
).map(lambda drawn: torch.ones(drawn[0], dtype=drawn[1]))
things = st.recursive(
    json_values | tensors,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.dictionaries(file_names, st.binary(max_size=200), max_size=4), repeats=st.integers(1, 2))
def test_a_zip_holds_every_file_once_and_unchanged(contents, repeats, tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("student")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LAB_BUDGET", "ci")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(LABS[LAB])])
    nbformat.write(notebook, folder / "mine.ipynb")
    files = {f"{name}.dat": data for name, data in contents.items()}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with zipfile.ZipFile(submission.make_submission(LAB, *[*files] * repeats, pdf=False)) as archive:
        assert sorted(archive.namelist()) == sorted([*files, f"{LABS[LAB]}.ipynb"])
        assert archive.testzip() is None
        assert all(archive.read(name) == data for name, data in files.items())
        assert archive.read(f"{LABS[LAB]}.ipynb") == (folder / "mine.ipynb").read_bytes()


@given(st.sampled_from([entry for lab in LABS for entry in load(lab)]))
def test_names_and_ids_are_one_to_one(entry):
    everything = [other for lab in LABS for other in load(lab)]
    assert [other for other in everything if other.grade_id == entry.grade_id] == [entry]
    assert entry.name == entry.grade_id.replace("_", ".", 1)
    assert entry.grade_id.isidentifier() and entry.answer_id.startswith(entry.grade_id)
    assert submission.marker(entry).isprintable() and entry.name in submission.marker(entry)


@given(st.text(max_size=300), st.sampled_from([entry for lab in LABS for entry in load(lab)]))
def test_a_marker_is_found_whatever_follows_it(text, entry):
    make = nbformat.v4.new_markdown_cell if entry.manual else nbformat.v4.new_code_cell
    cell = make(f"{submission.marker(entry)}\n{text}")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text.replace("GRADED", "")), cell])
    assert submission.answer_cells(notebook, entry) == [cell]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}/[a-z]{1,8}", fullmatch=True), things, max_size=4))
def test_evidence_survives_its_files(contents):
    evidence = Evidence("lab4.cfg_drift")
    for name, thing in contents.items():
        evidence.put(name, thing)
    with evidence.attempt("crash"):
        raise ValueError("broken")
    read = unpack(find("lab4.cfg_drift"), evidence.to_json(), evidence.to_safetensors())
    assert read.values.keys() == evidence.values.keys()
    for name, value in evidence.values.items():
        assert isinstance(value, str) or read.values[name] == value  # of texts, control characters are removed
    assert read.kinds == evidence.kinds and read.errors == evidence.errors
    assert read.tensors.keys() == evidence.tensors.keys()
    for name, tensor in evidence.tensors.items():
        assert read.tensors[name].dtype == tensor.dtype and torch.equal(read.tensors[name], tensor)
    assert all(kind for kind in read.kinds.values())


@given(st.lists(file_names, min_size=1, max_size=5))
def test_extra_files_are_unique_by_name(names):
    chosen = submission.extra_files([f"./{name}" for name in names], {})
    assert [path.name for path in chosen] == list(dict.fromkeys(Path(name).name for name in names))
