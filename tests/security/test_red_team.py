"""Hostile submissions through the whole hardened pipeline.

Each attack comes with a wrong answer. An attack may cost the attacker points. It must not earn more than the same
answers earn honestly, must not show anything hidden, and must not change the grade of the next student.
"""

import json
import os
import re
import tracemalloc

import nbformat
import pytest

from autograder import ROOT
from autograder.course.cells import role_of
from autograder.course.labs import find_lab
from autograder.course.source import read_source
from autograder.exercises.kits.mutants import load as load_mutants
from autograder.intake.repair import repair
from autograder.judging.grade import judge_run, run_submission
from autograder.running.limits import MIB, Limits
from autograder.running.sandbox import Sandbox
from tests.security.corpus import ATTACKS, expecting, load

SECRET = b"the instructor's secret, 7f3a"
LAB = find_lab("lab4")
LOSS = "lab4_cfg_train_loss"


@pytest.fixture(scope="module")
def box(needs_bubblewrap):
    """A sandbox with short time limits, because many attacks hang on purpose."""
    limits = Limits(
        cell_s=3,
        notebook_s=8,
        submission_s=60,
        memory_bytes=1024 * MIB,
        scratch_bytes=64 * MIB,
        socket_bytes=64 * MIB,
    )
    with Sandbox(limits) as sandbox:
        yield sandbox


def submission(before="", answer="", after="", wrong=True):
    """Return the solved lab, repaired, with code of an attacker.

    Args:
        before: A cell before all answers.
        answer: Code at the end of the cell of one answer.
        after: A cell after all others.
        wrong: Whether the training loss is wrong.
    """
    notebook = read_source(LAB)
    notebook.cells = [c for c in notebook.cells if role_of(c) not in ("illustration", "")]
    cell = next(c for c in notebook.cells if c.id == LOSS + "_answer")
    if wrong:
        assert "< self.eta" in cell.source
        cell.source = cell.source.replace("< self.eta", "> self.eta")
    cell.source += "\n" + answer
    first = next(i for i, c in enumerate(notebook.cells) if role_of(c) == "answer")
    if before:
        notebook.cells.insert(first, nbformat.v4.new_code_cell(before))
    if after:
        notebook.cells.append(nbformat.v4.new_code_cell(after))
    return repair(notebook, LAB)


def attacked(attack):
    """Return the submission of an attacker."""
    return submission(**{attack.place: attack.source})


def grade(repaired, box):
    """Return the grade and the run of a submission."""
    run = run_submission(repaired, box, SECRET)
    return judge_run(repaired, run, SECRET), run


@pytest.fixture(scope="module")
def honest(box):
    """The grade that the wrong answer earns without an attack."""
    result, _ = grade(submission(), box)
    assert result.verdicts["lab4.cfg_train_loss"].points == 0 < result.points < result.max_points
    return result


def by_name(attacks):
    """Return a decorator that runs a test for each attack."""
    cases = [pytest.param(a, id=a.name, marks=[pytest.mark.slow] * (a.takes == "long")) for a in attacks]
    return pytest.mark.parametrize("attack", cases)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_every_attack_says_what_it_tries(attack):
    assert attack.description.endswith(".") and "\n" not in attack.description and attack.source
    assert attack.expect in ("nothing gained", "hang", "limit", "own test") and attack.takes in ("seconds", "long")


@by_name(expecting("nothing gained"))
def test_an_attack_gains_nothing(attack, box, honest):
    result, run = grade(attacked(attack), box)
    assert result.points <= honest.points
    assert result.max_points == honest.max_points
    for exercise, verdict in result.verdicts.items():
        assert verdict.points <= honest.verdicts[exercise].points, exercise
    nothing_hidden(run)


@by_name(expecting("hang"))
def test_a_hang_costs_at_most_its_own_exercise(attack, box, honest):
    result, run = grade(attacked(attack), box)
    assert result.verdicts["lab4.cfg_train_loss"].points == 0
    for exercise, verdict in honest.verdicts.items():
        assert result.verdicts[exercise].points == verdict.points, exercise
    nothing_hidden(run)


@by_name(expecting("limit"))
def test_limits_hold_for_all_processes_together(attack, box, honest):
    """This includes a grader that runs as root, for which the kernel counts neither processes nor threads.

    For others the kernel may refuse a thread before the watch sees too many of them, and the run goes on.
    """
    result, _ = grade(attacked(attack), box)
    refused = os.geteuid() != 0 and attack.reported == "more processes or threads"
    assert any(attack.reported in problem for problem in result.problems) or refused, result.problems
    assert result.points == honest.points


def test_a_display_of_odd_things_costs_no_points(box, honest):
    result, _ = grade(attacked(load("odd_objects_displayed")), box)
    assert result.points == honest.points and not result.problems


def test_a_removed_error_is_no_evidence_of_a_second_device(box):
    """An exercise deducts for code that works on one device only. Leaving the error out shows nothing."""
    mutant = next(
        m for m in load_mutants(LAB.short) if m.exercise == "lab4.cfg_train_loss" and "hard_coded_device" in m.finds
    )
    grades = []
    for attack in ("", load("device_error_removed").source):
        repaired = submission(before=attack, wrong=False)
        cell = next(c for c in repaired.notebook.cells if c.source.startswith("# GRADED: lab4.cfg_train_loss"))
        cell.source = f"# GRADED: lab4.cfg_train_loss\n{mutant.answer(cell.source)}"
        grades.append(grade(repaired, box)[0].verdicts["lab4.cfg_train_loss"])
    honest, removed = grades
    assert [finding.code for finding in honest.findings] == ["hard_coded_device"]
    assert [finding.code for finding in removed.findings] == ["device_not_shown"]
    assert removed.points == honest.points < honest.max_points


def test_forged_outputs_do_not_fill_the_store(box, honest):
    """The runner limits the outputs of a cell, but an attacker can write to the channel without the runner."""
    result, run = grade(attacked(load("forged_outputs")), box)
    assert result.points == honest.points
    assert 15_000_000 < len(json.dumps(run.outputs)) < 60_000_000
    assert "were left out" in json.dumps(run.outputs)


def test_empty_objects_in_forged_outputs_are_not_parsed(box, honest):
    """Sixteen megabytes of them would take half a gigabyte of the grader's memory."""
    tracemalloc.start()
    try:
        result, run = grade(attacked(load("outputs_of_empty_objects")), box)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.points == honest.points
    assert "they have too many parts" in json.dumps(run.outputs)
    assert peak < 150 * MIB


@pytest.mark.parametrize(
    ("name", "success"),
    [
        ("leases_on_shared_files", "LEASED"),
        ("locks_of_single_bytes", "LOCKS"),
        ("timers_of_the_user", "TAKEN"),
        ("requests_for_disks", "Success"),
    ],
)
def test_nothing_that_others_share_is_taken(name, success, box):
    """The kernel would give these, and the attack would earn nothing: the harm is to the grader and to neighbours."""
    outcome = box.run([{"index": 0, "source": load(name).source}], {})
    assert outcome.finished and success not in json.dumps(outcome.outputs[0]), outcome.outputs


@pytest.mark.parametrize("name", ["watches_of_the_user", "filters_of_its_own", "calls_of_later_kernels"])
def test_calls_that_take_from_others_are_refused(name, box):
    outcome = box.run([{"index": 0, "source": load(name).source}], {})
    printed = outcome.outputs[0]["outputs"][0]["text"]
    assert outcome.finished and re.match(r"(0 \w.*\n)+\Z|KNOWN \[\]\n", printed), printed


def nothing_hidden(run):
    """Check that the outputs hold neither the secret, nor the source of a verdict, nor a path of the instructor."""
    outputs = json.dumps(run.outputs)
    for word in (
        SECRET.decode(),
        "judge.compare",
        "autograder/exercises",
        "gradebook",
        str(ROOT / "solutions"),
        str(ROOT / "tests"),
    ):
        assert word not in outputs.replace("import autograder.judging.judge", "")
    assert len(outputs) < 8 * 2**20


def test_an_honest_neighbour_keeps_the_grade_after_all_that(box):
    result, _ = grade(submission(wrong=False), box)
    assert result.points == result.max_points


def test_nothing_of_one_student_is_left_for_the_next(box):
    grade(attacked(load("marks_left")), box)
    _, run = grade(attacked(load("marks_read")), box)
    assert "False False False False False False" in json.dumps(run.outputs)


def test_a_friends_evidence_does_not_fit(box, honest):
    """Evidence of another submission belongs to another challenge, so it earns nothing even if it is right."""
    friend = submission(wrong=False)
    right = run_submission(friend, box, SECRET)
    thief = submission()
    run = run_submission(thief, box, SECRET)
    run.evidence["lab4.cfg_train_loss"] = right.evidence["lab4.cfg_train_loss"]
    assert judge_run(friend, right, SECRET).verdicts["lab4.cfg_train_loss"].points == 4
    assert judge_run(thief, run, SECRET).verdicts["lab4.cfg_train_loss"].points == 0


def test_unprotected_grading_says_so(unprotected):
    result, _ = grade(submission(), unprotected)
    assert any("unprotected" in line for line in result.problems)
