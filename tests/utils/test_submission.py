"""check_all and make_submission, in a stand-in for Colab and in a folder."""

import copy
import json
import os
import sys
import types
import warnings
import zipfile

import nbformat
import pytest

from autograder.course.labs import find_lab
from autograder.intake.repair import repair
from utils import submission
from utils.checks import check_all
from utils.checks.exercise import load

LAB = find_lab("lab4")
AUTOMATIC = [entry for entry in load(LAB.short) if not entry.manual]
WRITTEN = [entry for entry in load(LAB.short) if entry.manual]


@pytest.fixture(autouse=True)
def a_student_at_work(monkeypatch, tmp_path):
    """Work in an empty folder, outside JupyterLab."""
    monkeypatch.setenv("LAB_BUDGET", "ci")
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def notebook():
    """As released, with something written in every box."""
    notebook = nbformat.read(LAB.student, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(submission.EMPTY_ANSWER, "My answer.")
    return notebook


def cell_of(notebook, grade_id):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def test_the_empty_box_is_the_one_that_the_builder_writes():
    released = nbformat.read(LAB.student, as_version=4)
    assert submission.open_essays(released, LAB.short) == [entry.name for entry in WRITTEN] != []


def test_a_released_notebook_is_not_damaged(lab):
    assert submission.damaged_cells(nbformat.read(lab.student, as_version=4), lab.short) == []


def lose_metadata(notebook):
    cell_of(notebook, AUTOMATIC[0].answer_id).metadata.clear()
    return AUTOMATIC[0].name, "lost its mark"


def lose_marker_too(notebook):
    cell = cell_of(notebook, AUTOMATIC[0].answer_id)
    cell.metadata.clear()
    cell.source = cell.source.split("\n", 1)[1]
    return AUTOMATIC[0].name, "no cell answers it"


def copy_the_answer(notebook):
    notebook.cells.append(copy.deepcopy(cell_of(notebook, AUTOMATIC[0].answer_id)))
    return AUTOMATIC[0].name, "2 cells claim"


def delete_the_test(notebook):
    notebook.cells.remove(cell_of(notebook, AUTOMATIC[0].grade_id))
    return AUTOMATIC[0].name, "test cell is gone"


def retype_the_essay(notebook):
    cell_of(notebook, WRITTEN[0].answer_id).metadata.clear()
    return WRITTEN[0].name, "lost its mark"


def rewrite_the_essay_elsewhere(notebook):
    notebook.cells.remove(cell_of(notebook, WRITTEN[0].answer_id))
    notebook.cells.append(nbformat.v4.new_markdown_cell("My answer, in a cell of my own"))
    return WRITTEN[0].name, f"Make `<!-- GRADED: {WRITTEN[0].name} -->` the first line of the cell that does"


@pytest.mark.parametrize(
    "damage",
    [lose_metadata, lose_marker_too, copy_the_answer, delete_the_test, retype_the_essay, rewrite_the_essay_elsewhere],
)
def test_each_damage_is_named_once_and_nothing_else_is(damage, notebook):
    name, words = damage(notebook)
    found = submission.damaged_cells(notebook, LAB.short)
    assert len(found) == 1 and name in found[0] and words in found[0], found


def test_what_is_said_of_a_lost_mark_is_what_the_grader_does(notebook):
    """The student hears that the grader still finds the answer; so it must."""
    name, _ = lose_metadata(notebook)
    answer = next(c for c in notebook.cells if c.source.startswith(f"# GRADED: {name}"))
    answer.source += "\nmine = True"
    repaired = repair(notebook, LAB)
    assert cell_of(repaired.notebook, AUTOMATIC[0].answer_id).source.endswith("mine = True")


def test_an_answer_that_was_run_but_not_saved_is_named(notebook):
    cell = cell_of(notebook, AUTOMATIC[0].answer_id)
    assert submission.unsaved_answers(notebook, LAB.short, ["", cell.source]) == []
    newer = [cell.source, cell.source + "\n# a better idea"]
    assert submission.unsaved_answers(notebook, LAB.short, newer) == [AUTOMATIC[0].name]
    assert submission.unsaved_answers(notebook, LAB.short, newer[::-1]) == []


@pytest.fixture
def colab(monkeypatch, notebook):
    """google.colab as far as we use it: the message that returns what is on the screen, and the download."""
    downloads = []
    screen = json.loads(nbformat.writes(notebook))
    for cell in screen["cells"]:  # Colab's habits: no nbformat ids, its own metadata
        cell["metadata"]["id"] = cell.pop("id")
    screen["nbformat_minor"] = 0
    package, message, files = (types.ModuleType(f"google.colab{x}") for x in ("", "._message", ".files"))

    def blocking_request(kind, timeout_sec):
        assert kind == "get_ipynb" and timeout_sec >= 60
        return {"ipynb": screen}

    message.blocking_request = blocking_request
    files.download = downloads.append
    package._message, package.files = message, files
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    for module in (package, message, files):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return types.SimpleNamespace(downloads=downloads, screen=screen)


def test_colab_submits_what_is_on_the_screen(colab, tmp_path, capsys):
    with warnings.catch_warnings(action="error"):  # students read every line of red
        path = submission.make_submission(LAB.short)
    assert [str(path)] == colab.downloads
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == [f"{LAB.name}.ipynb", f"{LAB.name}.pdf"]
        submitted = nbformat.v4.reads(archive.read(f"{LAB.name}.ipynb").decode())
    assert cell_of(submitted, WRITTEN[0].answer_id).source.endswith("My answer.")
    assert repair(submitted, LAB).repairs == ()
    assert "No cell is damaged" in capsys.readouterr().out


def test_colab_with_a_damaged_cell_is_told_and_still_submits(colab, capsys):
    for cell in colab.screen["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == AUTOMATIC[0].answer_id:
            del cell["metadata"]["nbgrader"]
    assert submission.make_submission(LAB.short, pdf=False) is not None
    assert f"{AUTOMATIC[0].name}: its cell was retyped" in capsys.readouterr().out


def test_in_jupyter_the_file_is_found_and_goes_in_byte_for_byte(notebook, tmp_path, monkeypatch):
    (tmp_path / "my work").mkdir()
    path = tmp_path / "my work" / "lab4 (copy 2).ipynb"
    nbformat.write(notebook, path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    helper = tmp_path / "helper.py"
    helper.write_text("x = 1")
    with zipfile.ZipFile(submission.make_submission(LAB.short, helper)) as archive:
        assert archive.read(f"{LAB.name}.ipynb") == path.read_bytes()
        assert archive.read("helper.py") == b"x = 1"


def test_of_several_notebooks_the_newest_is_read_and_named(notebook, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    for age, name in enumerate(("mine.ipynb", "tried.ipynb")):
        nbformat.write(notebook, tmp_path / name)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    submission.make_submission(LAB.short, pdf=False)
    said = capsys.readouterr().out
    assert "No cell is damaged in mine.ipynb." in said
    assert "other notebooks of this lab, too (tried.ipynb). Is mine.ipynb the one that you mean?" in said


@pytest.mark.parametrize("error", [PermissionError("the file is open"), ValueError("an odd letter")])
def test_a_pdf_that_cannot_be_made_does_not_prevent_the_zip(error, notebook, tmp_path, monkeypatch, capsys):
    def broken(*_):
        raise error

    monkeypatch.setattr("utils.pdf.notebook_to_pdf", broken)
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    with zipfile.ZipFile(submission.make_submission(LAB.short)) as archive:
        assert archive.namelist() == [f"{LAB.name}.ipynb"]
    said = capsys.readouterr().out
    assert str(error) in said and "without it" in said and "Open the PDF" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{LAB.name}.zip", "mine.ipynb"]


def test_without_a_session_the_newest_notebook_of_this_lab_is_taken(notebook, tmp_path):
    (tmp_path / "other.ipynb").write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    (tmp_path / "broken.ipynb").write_text('{"cells": [' + LAB.name)
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    _, path = submission.running_notebook(LAB.short)
    assert path.name == "mine.ipynb"


def test_no_notebook_is_a_sentence_and_no_zip(tmp_path, capsys):
    assert submission.make_submission(LAB.short) is None
    assert "file was not found" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_and_an_unknown_lab_are_named(notebook, tmp_path):
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.py"):
        submission.make_submission(LAB.short, "nowhere.py")
    with pytest.raises(KeyError, match="no lab 'lab9'"):
        submission.make_submission("lab9")


@pytest.mark.parametrize("mark", [{"NBGRADER_EXECUTION": "autograde"}, {"LAB_BUDGET": "grade"}])
def test_nothing_is_submitted_while_grading(mark, notebook, tmp_path, monkeypatch):
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    for key, value in mark.items():
        monkeypatch.setenv(key, value)
    assert submission.make_submission(LAB.short) is None
    assert not list(tmp_path.glob("*.zip"))


def test_check_all_says_points_what_is_open_what_is_damaged_and_how_to_submit(notebook, tmp_path, capsys):
    cell_of(notebook, WRITTEN[0].answer_id).source = submission.EMPTY_ANSWER
    delete_the_test(notebook)
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    check_all(LAB.short)
    out = capsys.readouterr().out
    assert f"worth 0 of {sum(e.points for e in AUTOMATIC):g} automatic points" in out
    assert all(entry.name in out for entry in load(LAB.short))
    assert f"Open: {WRITTEN[0].name}" in out
    assert "test cell is gone" in out
    assert f'make_submission("{LAB.short}")' in out


@pytest.mark.parametrize("running", ["lab4_mnist_cfg.ipynb", "my lab 4.ipynb"])
def test_a_notebook_that_is_named_is_in_the_zip_once(running, notebook, tmp_path, monkeypatch):
    nbformat.write(notebook, tmp_path / running)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / running))
    (tmp_path / f"{LAB.name}.pdf").write_bytes(b"an older PDF")
    (tmp_path / "helper.py").write_text("x = 1")
    named = [running, "./helper.py", "helper.py", f"{LAB.name}.pdf"]
    with zipfile.ZipFile(submission.make_submission(LAB.short, *named)) as archive:
        assert sorted(archive.namelist()) == sorted([f"{LAB.name}.ipynb", f"{LAB.name}.pdf", "helper.py"])
        assert archive.read(f"{LAB.name}.pdf").startswith(b"%PDF")


def test_colab_does_not_add_an_older_copy_of_the_notebook(colab, tmp_path):
    (tmp_path / f"{LAB.name}.ipynb").write_text("an older copy")
    with zipfile.ZipFile(submission.make_submission(LAB.short, f"{LAB.name}.ipynb", pdf=False)) as archive:
        assert archive.namelist() == [f"{LAB.name}.ipynb"]
        assert b"My answer." in archive.read(f"{LAB.name}.ipynb")


@pytest.mark.parametrize("names", [["a/helper.py", "b/helper.py"], [f"a/{LAB.name}.ipynb"]])
def test_two_files_of_one_name_are_refused_before_anything_is_written(names, notebook, tmp_path):
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    with pytest.raises(ValueError, match="two files are called"):
        submission.make_submission(LAB.short, *names, pdf=False)
    assert not list(tmp_path.glob("*.zip"))
