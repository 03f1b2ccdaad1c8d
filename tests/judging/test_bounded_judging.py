"""No evidence stalls, fills or crashes the grader: it is judged in a child with limits."""

import contextlib
import json
import os
import resource
import signal
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save

from autograder.bounded import Bounds
from autograder.course.cells import role_of
from autograder.course.labs import labs
from autograder.course.source import read_source
from autograder.intake.repair import repair
from autograder.judging import judge as judge_module
from autograder.judging.bounded_judging import JUDGING, BoundedJudging
from autograder.judging.evidence import MAX_JSON, MAX_LIST, MAX_NAMES, MAX_TENSORS, MAX_TEXT
from autograder.judging.grade import judge_exercises, judge_run, run_submission
from autograder.running.run_types import Run
from autograder.running.tasks import challenges_of
from tests.lab4_class import LAB, make_class
from utils.checks.challenge import Challenge
from utils.checks.evidence import COMPLETED
from utils.checks.exercise import find, load, run_probe

SECRET = b"the secret of these tests"
HOSTILE = "lab4.cfg_drift"
SHORT = Bounds(cpu_s=1.0, memory_bytes=JUDGING.memory_bytes)  # what verdicts import, this process imports before


def loop(judge):
    """Compute for ever."""
    while True:
        pass


def fill(judge):
    """Take all memory, and keep on trying."""
    kept = []
    while True:
        with contextlib.suppress(MemoryError):
            kept.append(bytes(2**28))


def fill_once(judge):
    """Take more memory than there is in the bounds, and end with the error."""
    with judge.part("all", judge.max_points):
        bytearray(2 * JUDGING.memory_bytes)  # the bounds count from the start, and freed memory makes room beside them


def crash(judge):
    """Crash as a library that is written in C may."""
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.fixture(scope="module")
def graded(sandbox, lab4):
    """A right submission of lab 4, and its run."""
    notebook = read_source(lab4)
    notebook.cells = [c for c in notebook.cells if role_of(c) not in ("illustration", "")]
    submission = repair(notebook, lab4)
    run = run_submission(submission, sandbox, SECRET)
    judge_run(submission, run, SECRET)
    return submission, run


@pytest.mark.parametrize("verdict", [loop, fill, fill_once, crash])
def test_only_the_exercise_whose_evidence_is_hostile_goes_to_a_person(verdict, graded, monkeypatch):
    submission, run = graded
    right = judge_module.find_verdict

    def find_verdict(entry):
        return verdict if entry.name == HOSTILE else right(entry)

    monkeypatch.setattr(judge_module, "find_verdict", find_verdict)
    with BoundedJudging(SHORT) as judging:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        grade = judge_run(submission, run, SECRET, judging.judge_exercises)
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert [finding.code for finding in grade.verdicts[HOSTILE].findings] == ["needs_a_person"]
    assert any(HOSTILE in line for line in grade.faults), "a person is told"
    others = [verdict for name, verdict in grade.verdicts.items() if name != HOSTILE]
    assert others and all(one.points == one.max_points for one in others)
    assert grown_kb < 200_000, "the grader itself keeps its memory"


def test_the_next_student_is_judged_as_if_nothing_had_happened(graded, monkeypatch):
    submission, run = graded
    with BoundedJudging(SHORT) as judging:
        with monkeypatch.context() as patched:
            patched.setattr(judge_module, "find_verdict", lambda entry: crash)
            lost = judge_run(submission, run, SECRET, judging.judge_exercises)
        judging.bounded.close()  # the child was forked while the verdict was replaced
        grade = judge_run(submission, run, SECRET, judging.judge_exercises)
    assert lost.points == 0 and len(lost.faults) == len(lost.verdicts)
    assert grade == judge_run(submission, run, SECRET) and grade.points == grade.max_points


def test_a_class_is_finished_with_one_student_left_for_a_person(graded, scheduler, tmp_path, monkeypatch):
    from autograder.judging import bounded_judging
    from autograder.judging.class_run import judge_class, open_class, run_class

    right = judge_module.find_verdict

    def find_verdict(entry):
        def stalls_on_a_mistake(judge):
            right(entry)(judge)
            if judge.findings:
                loop(judge)

        return stalls_on_a_mistake

    course = make_class(tmp_path, 3)  # the second student has a mistake
    class_run = open_class(LAB, course / "submitted", course)
    run_class(class_run, protected=True, scheduler=scheduler)
    monkeypatch.setattr(judge_module, "find_verdict", find_verdict)
    monkeypatch.setattr(bounded_judging.BoundedJudging.__init__, "__defaults__", (SHORT, True))
    judge_class(class_run)
    first, second, third = class_run.students
    assert first.grade.points == third.grade.points == first.grade.max_points and not first.problems
    assert 0 < second.grade.points < first.grade.points
    assert [line for line in second.problems if "computing time" in line]


SHAPES = ((2**20,), (2**20, 1), (1, 2**20), (1024, 1024), (1,) * 8, (2**10, 2**10, 1, 1), (0,), ())
VALUES = (["x" * 50] * MAX_LIST, 2**53 - 1, -1e300, "1" * MAX_TEXT, True)


def inflated(evidence):
    """Return the files of evidence with the names of another, in which everything is as large as it may be."""
    document, tensors, size = json.loads(evidence.to_json()), {}, 0
    for number, name in enumerate(sorted(document["kinds"])):
        shape = SHAPES[number % len(SHAPES)]
        if size + 2 * torch.Size(shape).numel() < MAX_TENSORS - 2**20:
            tensors[name] = torch.full(shape, float("nan") if number % 3 else 65504.0, dtype=torch.float16)
            size += 2 * tensors[name].numel()
        document["kinds"][name] = "tensor" if number % 4 else "float"
    for number, name in enumerate(document["values"]):
        if not name.endswith(COMPLETED):
            document["values"][name] = VALUES[number % len(VALUES)]
    spare = MAX_NAMES - len(document["values"])
    document["values"] |= {f"more/{number}": "y" * 200 for number in range(spare)}
    files = json.dumps(document).encode(), save(tensors)
    assert len(files[0]) < MAX_JSON and len(files[1]) < MAX_TENSORS
    return files


@pytest.mark.parametrize("lab", labs(), ids=lambda lab: lab.short)
def test_evidence_as_large_as_it_may_be_is_judged_in_seconds(lab, solved_lab):
    """With the names that each verdict asks for. Nothing of it is worth a point, or needs a limit."""
    names = [entry.name for entry in load(lab.short) if not entry.manual]
    challenges = {name: Challenge(name, b"k" * 32) for name in names}
    evidence = {}
    for name in names:
        honest = run_probe(find(name), solved_lab(lab).namespace, challenges[name])
        evidence[name] = (inflated(honest),)
    run = Run("", evidence=evidence)
    judge_exercises(challenges, Run(""))
    with BoundedJudging() as judging:
        verdicts = judging.judge_exercises(challenges, run)
        assert judging.bounded.spent_s < JUDGING.cpu_s / 2
    assert not any(fault for verdict in verdicts.values() for fault in verdict.faults if "was ended" in fault)
    assert not any(verdict.points for verdict in verdicts.values())


def test_verdicts_are_those_of_judging_in_this_process(graded):
    submission, run = graded
    name = next(iter(run.evidence))
    damaged = replace(run, evidence=run.evidence | {HOSTILE: ((b"{", b""),), name: run.evidence[name] * 2})
    challenges = challenges_of(submission, SECRET, run.submission_hash)
    with BoundedJudging() as judging:
        for one in (run, damaged, replace(run, evidence={})):
            assert judging.judge_exercises(challenges, one) == judge_exercises(challenges, one)
