"""A fault of the grader's own code: the student is not blamed, and the instructor reads error, file and line."""

import dataclasses

import numpy as np
import pytest
import torch

from autograder.course.solved import execute_source
from autograder.judging import judge as judge_module
from autograder.judging.evidence import unpack
from autograder.judging.grade import Grade
from autograder.judging.judge import judge
from utils.checks import faults
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import find, run_probe
from utils.checks.judging import Judge, judge_with
from utils.checks.lab4.cfg_train_loss_inputs import PathOfTable

ENTRY = find("lab4.cfg_drift")
CHALLENGE = Challenge.public(ENTRY.name)


def judged(probe, namespace, monkeypatch):
    """Probe, transport and a verdict that asks only whether the probe ran."""
    monkeypatch.setattr(faults, "COURSE", faults.Path(__file__).parent)  # this file plays the part of a probe
    evidence = run_probe(dataclasses.replace(ENTRY, probe=probe), namespace, CHALLENGE)

    def verdict(judge: Judge) -> None:
        with judge.part("all", ENTRY.points):
            judge.attempt("probe")

    return judge_with(verdict, CHALLENGE, unpack(ENTRY, evidence.to_json(), evidence.to_safetensors()))


def call_answer(student, challenge, evidence):
    student["answer"](3)


def misspelt(student, challenge, evidence):
    student["answer"]
    magnetisation_leters  # noqa: B018, F821


def wrong_module_attribute(student, challenge, evidence):
    torch.randn_lik(challenge.randn("x", (2,)))


def uses_result(student, challenge, evidence):
    return student["answer"](3) + 1


@pytest.mark.parametrize("probe", [misspelt, wrong_module_attribute])
def test_a_fault_of_the_probe_goes_to_a_person(probe, monkeypatch):
    verdict = judged(probe, {"answer": abs}, monkeypatch)
    (finding,) = verdict.findings
    assert finding.code == "needs_a_person"
    assert "not your fault" in finding.message and "Your code" not in finding.message
    assert "test_faults.py, line" in verdict.faults[0] and (
        "leters" in verdict.faults[0] or "randn_lik" in verdict.faults[0]
    )


def test_a_mistake_in_the_students_cell_is_the_students(monkeypatch):
    namespace: dict = {}
    execute_source("def answer(x):\n    return undefined + x", namespace)
    verdict = judged(call_answer, namespace, monkeypatch)
    (finding,) = verdict.findings
    assert finding.code == "raised" and not verdict.faults
    assert finding.message == (
        "Your code raised NameError: name 'undefined' is not defined. The line is `return undefined + x`."
    )


def test_what_an_object_of_the_test_lacks_is_told_without_its_class(monkeypatch):
    def probe(student, challenge, evidence):
        with evidence.attempt("probe"):
            student["answer"](PathOfTable(None))

    namespace: dict = {}
    execute_source("def answer(path):\n    return path.alpha(3)", namespace)
    (finding,) = judged(probe, namespace, monkeypatch).findings
    assert finding.code == "raised" and "PathOfTable" not in finding.message
    assert "the test's own object has what the text of the exercise names, but no `alpha`" in finding.message


def test_a_result_that_the_probe_cannot_use_is_told_as_that(monkeypatch):
    verdict = judged(uses_result, {"answer": lambda x: None}, monkeypatch)
    (finding,) = verdict.findings
    assert finding.code == "raised" and finding.message.startswith("The test of your answer could not use your code")


def test_a_verdict_that_breaks_keeps_error_file_and_line(monkeypatch):
    def broken(judge: Judge) -> None:
        {}["loss \x1b[31m"]

    monkeypatch.setattr(judge_module, "find_verdict", lambda entry: broken)
    monkeypatch.setattr(faults, "COURSE", faults.Path(__file__).parent)
    verdict = judge(ENTRY, CHALLENGE, Evidence(ENTRY.name))
    assert [f.code for f in verdict.findings] == ["needs_a_person"] and "KeyError" not in verdict.findings[0].message
    grade = Grade("lab4_mnist_cfg", "0", {ENTRY.name: verdict}, {})
    (line,) = grade.faults
    assert line.startswith(f"{ENTRY.name}: the grader could not judge this answer by itself (KeyError: 'loss")
    assert "test_faults.py, line" in line and line.isprintable()
    assert not any("KeyError" in problem for problem in grade.problems), "students read the problems"


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array([1, 2], dtype=np.uint16), "uint16 array"),
        (np.array([None, "x"], dtype=object), "object array"),
        (np.arange(4.0)[::-1], "array"),
        (np.arange(4, dtype=">f8"), "array"),
        (np.float32(2), "array"),
    ],
)
def test_arrays_are_kept_or_named(array, kind):
    evidence = Evidence(ENTRY.name)
    evidence.put("run/x", array)
    assert evidence.kinds["run/x"] == kind
    if kind == "array":
        assert evidence.tensors["run/x"].tolist() == array.tolist()
    else:
        judge = Judge(CHALLENGE, evidence)
        with judge.part("all", 1.0):
            judge.tensor("run/x")
        assert [f.code for f in judge.findings] == ["wrong_dtype"] and kind in judge.findings[0].message
