"""`autograder validate` names what an author of an exercise forgot or did wrong."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from autograder.cli import main
from autograder.course import solved
from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab, answers_of, execute_source
from autograder.course.source import read_source
from autograder.errors import SourceError
from autograder.exercises.kits import mutants
from autograder.exercises.kits.mutants import Mutant, wrong
from autograder.printing import print_matrix
from autograder.running.limits import Limits
from autograder.validation import kill_matrix, sandboxed
from autograder.validation.kill_matrix import MatrixTask, row_of
from utils.checks.exercise import find

LAB = find_lab("lab4")
DRIFT = "lab4.cfg_drift"
FEW = ["validate", "lab4", "--only", "cfg_drift", "--right", "1", "--wrong", "1", "--no-sandbox"]


def model_row():
    return row_of(
        MatrixTask("lab4", Mutant(DRIFT, "model answer", True, source=answers_of(LAB)[DRIFT], kind="model"), 1)
    )


def test_no_mutants_are_a_miss(monkeypatch, capsys):
    monkeypatch.setattr(mutants, "load", lambda lab: [])
    assert main(FEW) == 1
    said = capsys.readouterr().out
    assert "✗ gap     no wrong answers" in said and f"there is no wrong answer to {DRIFT}" in said
    assert "1 answer, 1 miss, 0 'check passes, grader gives 0', 0 that depend" in said


def test_mutants_of_a_misspelt_exercise_are_a_miss(monkeypatch, capsys):
    found = [dataclasses.replace(m, exercise=m.exercise.replace("drift", "drif")) for m in mutants.load("lab4")]
    monkeypatch.setattr(mutants, "load", lambda lab: found)
    assert main(FEW) == 1
    said = capsys.readouterr().out
    assert "lab4.cfg_drif\n" in said and "its mutants name an exercise that does not exist; there are lab4." in said
    assert f"there is no wrong answer to {DRIFT}" in said


@pytest.mark.slow
def test_all_is_well_without_gaps(capsys):
    assert main(FEW) == 0
    assert "answers, 0 misses, 0 'check passes, grader gives 0', 0 that depend on" in capsys.readouterr().out


def test_a_mutant_that_is_declared_wrong_is_a_sentence():
    with pytest.raises(SourceError, match="needs either an edit or a source"):
        wrong(DRIFT, "neither", finds="x")
    with pytest.raises(SourceError, match=r"two mutants of lab4\.cfg_drift have the name swapped"):
        mutants.load("lab4")
        wrong(DRIFT, "swapped", finds="x", source="pass")


def test_evidence_above_the_limit_names_the_limit(monkeypatch):
    assert model_row().ok
    monkeypatch.setattr(kill_matrix, "MAX_TENSORS", 100)
    (miss,) = model_row().misses
    assert "the probe's tensors have" in miss and "MAX_TENSORS" in miss


def test_evidence_that_the_grader_would_not_read_is_a_miss(monkeypatch):
    def probe(student, challenge, evidence):
        evidence.values["a name with ünfit letters"] = 1

    entry = dataclasses.replace(find(DRIFT), probe=probe)
    assert kill_matrix.evidence_misses(entry, {}) == [
        "the grader would not accept the probe's evidence: it has names that no probe writes"
    ]


def test_public_parts_that_do_not_add_up_get_a_note(monkeypatch, capsys):
    monkeypatch.setattr(kill_matrix, "find", lambda name: dataclasses.replace(find(name), points=77))
    row = model_row()
    assert "the registry says 77" in row.notes[0] and "the registry says 77" in row.misses[0]
    print_matrix([row])
    assert "note: the parts of the public check add up to" in capsys.readouterr().out


def test_annotations_are_evaluated_as_in_a_notebook():
    with pytest.raises(NameError):
        execute_source("def f(x) -> Float64: ...", {})


def test_a_model_answer_that_does_not_run_is_a_miss_of_its_own_exercise_only(monkeypatch):
    helper = "\n\ndef helper(x: Missing): ...\n"
    broken = dict(answers_of(LAB))
    broken[DRIFT] += helper
    cells = [(role, f"{code}{helper}" if DRIFT in code else code) for role, code in solved.code_cells(LAB, False)]
    monkeypatch.setattr(solved, "code_cells", lambda lab, all_cells: cells)
    solved_lab = SolvedLab(LAB)
    monkeypatch.setattr(kill_matrix, "solved_lab", lambda name: solved_lab)
    monkeypatch.setattr(sys.modules[__name__], "answers_of", lambda lab: broken)
    assert model_row().misses == ["its source does not run: NameError: name 'Missing' is not defined"]
    other = Mutant("lab4.vector_field", "model answer", True, source=broken["lab4.vector_field"], kind="model")
    assert row_of(MatrixTask("lab4", other, 1)).ok


def test_model_answers_run_once_in_the_real_sandbox(needs_bubblewrap, monkeypatch):
    rows = sandboxed.sandbox_rows(LAB)
    assert set(rows) == set(answers_of(LAB)) and all(row.ok for row in rows.values())
    notebook = read_source(LAB)
    cell = next(cell for cell in notebook.cells if cell.id == "lab4_cfg_drift_answer")
    cell.source += "\ndef helper(x) -> Float64[Tensor]: ...\n\n1 / 0"
    monkeypatch.setattr(sandboxed, "read_source", lambda lab: notebook)
    rows = sandboxed.sandbox_rows(LAB, only="cfg_drift")
    assert list(rows) == [DRIFT]
    assert rows[DRIFT].misses[0].startswith(f"in the sandbox: The cell of {DRIFT} stopped with NameError")


def test_the_sandboxs_limit_on_evidence_is_named(needs_bubblewrap, monkeypatch):
    monkeypatch.setattr(sandboxed, "Limits", lambda: Limits(frame_bytes=3000))
    row = sandboxed.sandbox_rows(LAB, only="cfg_drift")[DRIFT]
    assert "wrote more than the grader accepts" in row.misses[0] and any("16 MiB" in miss for miss in row.misses)


def test_without_bubblewrap_validate_says_what_it_left_out(monkeypatch, capsys):
    monkeypatch.setattr("autograder.validation.matrix_run.bubblewrap", lambda: None)
    assert main(FEW[:-1]) == 0
    assert "the model answers were not run in the sandbox" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--only", "nope"], ["--only", "cfg_drift", "--full"]])
def test_an_exercise_that_is_not_there_or_not_asked_for_is_told_in_a_sentence(words, capsys):
    assert main(["validate", "lab4", *words]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
