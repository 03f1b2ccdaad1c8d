"""Findings teach, and the chance of refusing a right answer is what is declared.

That public check and hidden verdict agree on all right answers is a part of the kill matrix:
tests/validation/test_kill_matrix.py.
"""

import inspect
import random
import re
import sys
from dataclasses import replace

import pytest

from autograder.course.labs import find_lab
from autograder.course.solved import answers_of
from autograder.exercises.find_verdict import find_verdict
from autograder.exercises.kits import mutants
from autograder.validation import kill_matrix
from autograder.validation.kill_matrix import (
    challenge_number,
    chance_of_refusal,
    limited,
    namespace_of,
    plan,
    row_of,
    verdicts,
)
from tests.syllabus import FINISHED, minimum
from tests.validation.teaching import faults, formulas, sentences, statement_of
from utils.checks import public_verdict
from utils.checks.exercise import find, load, run_probe
from utils.checks.judging import FALSE_ALARM, Judge, explain, judge_with
from utils.checks.kits import statistics


def automatic(lab):
    return [entry for entry in load(lab.short) if not entry.manual]


@pytest.mark.parametrize("few", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_public_findings_say_little_and_not_the_answer(few, lab, solved_lab):
    """On a few wrong answers to each exercise. The kill matrix looks at all hidden findings."""
    answers, statement, bad = answers_of(lab), statement_of(lab), []
    wrong = [task.mutant for task in plan(lab) if not task.mutant.right]
    by_exercise = [[m for m in wrong if m.exercise == name] for name in answers]
    for mutant in (m for some in by_exercise for m in random.Random(lab.short).sample(some, min(few, len(some)))):
        entry = find(mutant.exercise)
        try:
            namespace = namespace_of(solved_lab(lab), mutant)
        except Exception:
            continue  # a miss of the kill matrix
        with limited():
            public = public_verdict(entry, namespace)
        for finding in public.findings:
            for fault in faults(finding.message, answers[entry.name], finding.code, statement):
                bad.append(f"{entry.name} {mutant.name}: {finding.code}: {fault}: {finding.message}")
    assert not bad, "\n".join(bad)


def test_the_rules_see_what_they_forbid():
    answer = "x = 0\n### BEGIN SOLUTION\nreturn (x - self.alpha(t) * z) / self.beta(t)\n### END SOLUTION\n".replace(
        "return ", "y = "
    )
    assert "(x-alphaz)/beta" in formulas(answer)
    known = "the noise is $(x - \\alpha_t\\, z) / \\beta_t$"
    assert not faults("You forgot the noise. It is (x - alpha z) / beta, of course.", answer, statement=known)
    assert faults("You forgot the noise. It is (x - alpha z) / beta, of course.", answer)
    assert faults("You see this. It is bad. Think again. Then think.", answer)
    assert faults("Wrong.", answer) and faults("", answer) and faults(" ".join(["word"] * 40) + ".", answer)
    assert not faults("At w = 0.5 the state is 3.2 too large. Look at `x.sum()`, not at x.", answer)
    assert len(sentences("The loss is 3.5. Use `a. B. c`. Why?")) == 3


def test_a_mended_fault_of_the_sampler_has_its_part_though_another_is_left(solved_lab):
    """Lab 3's sampler has four faults. Who leaves one of them is told of that one, by check and grader alike."""
    lab, entry = find_lab("lab3"), find("lab3.spot_the_bugs")
    answers = {mutant.name: mutant for mutant in mutants.load("lab3") if mutant.exercise == entry.name}
    for name in ("sign_only", "clamp_only", "outside_total"):
        namespace = namespace_of(solved_lab(lab), answers[name])
        for verdict in (public_verdict(entry, namespace), next(verdicts(entry, namespace, 1))):
            assert [finding.code for finding in verdict.findings] == list(answers[name].finds), name
            assert verdict.points == entry.points - 0.5


@pytest.mark.parametrize(
    ("exercise", "name", "code"),
    [
        ("lab4.cfg_drift", "constant_scale", "scale_unused"),
        ("lab4.cfg_drift", "average", "scale_unused"),
        ("lab4.euler_heun", "euler_h_without_sign", "wrong_backwards"),
    ],
)
def test_the_check_names_what_the_numbers_alone_do_not_show(exercise, name, code, solved_lab):
    """A scale without effect goes as far at w = 1 as at w = 0; an h without its sign is wrong only below 0."""
    answers = {mutant.name: mutant for mutant in mutants.load("lab4") if mutant.exercise == exercise}
    verdict = public_verdict(find(exercise), namespace_of(solved_lab(find_lab("lab4")), answers[name]))
    assert [finding.code for finding in verdict.findings] == [code]


@pytest.mark.parametrize(
    ("returned", "points"),
    [("tilt, ode, None", 2.0), ("tilt, 1.0, sde", 2.0), ("1.0, 1.0, sde", 1.0), ("tilt, ode", 0.0)],
)
def test_each_of_the_three_variances_has_points_of_its_own(returned, points, solved_lab):
    entry, answers = find("lab3.what_guidance_samples"), answers_of(find_lab("lab3"))
    answer = answers[entry.name].replace("return tilt, ode, sde", f"return {returned}")
    namespace = namespace_of(
        solved_lab(find_lab("lab3")), mutants.Mutant(entry.name, "some", right=False, source=answer)
    )
    for verdict in (public_verdict(entry, namespace), next(verdicts(entry, namespace, 1))):
        assert verdict.points == points


def test_messages_of_python_and_torch_are_one_line():
    torch_says = (
        "where() received an invalid combination - got (int, Tensor), but expected one of:\n * (Tensor a)\n * (b)"
    )
    code, message = explain(
        {"type": "TypeError", "bases": ["TypeError"], "message": torch_says, "line": "y = where(1, x)"}
    )
    assert code == "raised"
    assert message == (
        "Your code raised TypeError: where() received an invalid combination - got (int, Tensor). "
        "The line is `y = where(1, x)`."
    )
    jaxtyping_says = (
        "Type-check error whilst checking the parameters of f.\nThe problem arose whilst typechecking parameter 'y'.\n"
        "Actual value: f32[3](torch)\nExpected type: <class 'Float[Tensor, 'b']'>.\n-----\nCalled with parameters: {}"
    )
    code, message = explain({"type": "TypeCheckError", "bases": ["TypeError"], "message": jaxtyping_says, "line": None})
    assert code == "wrong_shape"
    assert message.endswith("`y` is f32[3](torch), expected `Float[Tensor, 'b']`.") and "\n" not in message


def test_the_chance_of_refusing_a_right_answer_is_declared_and_small(lab, monkeypatch):
    """Every statistical test that a right answer goes through has its level declared; the sum is at most 1e-6."""
    spent = []

    def counted(test):
        def wrapper(*inputs, **named):
            level = named.get("level")
            spent.append(level if level is not None else inputs[test.__code__.co_varnames.index("level")])
            return test(*inputs, **named)

        return wrapper

    for entry in automatic(lab):
        find_verdict(entry)
    modules = [
        module for name, module in sys.modules.items() if name.startswith(("autograder.exercises.", "utils.checks."))
    ]
    for name, thing in list(vars(statistics).items()):
        is_test = inspect.isfunction(thing) and thing.__annotations__.get("return") == "bool"
        if is_test and thing.__module__ == statistics.__name__:
            for module in modules:  # wherever it was imported to
                if vars(module).get(name) is thing:
                    monkeypatch.setattr(module, name, counted(thing))

    def checked(entry, namespace):
        """The check has levels of its own, on the public challenge."""
        before = list(spent)
        spent.clear()
        verdict = public_verdict(entry, namespace)
        assert sum(spent) <= verdict.false_alarm * (1 + 1e-9), f"{entry.name}: the check does not declare a level"
        spent[:] = before
        return verdict

    monkeypatch.setattr(kill_matrix, "public_verdict", checked)
    models = [task for task in plan(lab, 1) if task.mutant.kind == "model"]
    rows = []
    for task in models:
        spent.clear()
        row = row_of(task)
        rows.append(row)
        assert row.ok, row.misses
        assert sum(spent) <= row.false_alarm * (1 + 1e-9), f"{row.exercise}: a level is not declared by judge.level"
        assert bool(spent) == bool(row.false_alarm), f"{row.exercise}: a declared level belongs to a test that was seen"
        assert row.false_alarm <= FALSE_ALARM * (1 + 1e-9)
    assert set(chance_of_refusal(rows)) == {entry.name for entry in automatic(lab)}


def test_levels_that_add_up_to_too_much_are_an_error():
    name = automatic(find_lab("lab4"))[0].name
    judge = Judge(challenge_number(find(name), 0), run_probe(find(name), {}, challenge_number(find(name), 0)))
    judge.spend_alpha(FALSE_ALARM / 2)
    with pytest.raises(AssertionError, match="levels add up"):
        judge.spend_alpha(FALSE_ALARM)


def test_the_model_answer_passes_both_verdicts_on_the_same_challenge(lab, solved_lab):
    for entry in automatic(lab):
        for index in range(2):
            challenge = challenge_number(entry, index)
            evidence = run_probe(entry, solved_lab(lab).namespace, challenge)
            verdict = judge_with(find_verdict(entry), challenge, evidence)
            assert verdict.points == entry.points and not verdict.findings


@pytest.mark.slow
def test_a_loss_that_takes_four_samples_at_a_time_is_right(lab, monkeypatch):
    """The full run takes more at a time: 10,000 challenges of this would last a day. One batch has 20,000 samples."""
    monkeypatch.setattr(kill_matrix, "CPU_LIMIT", 100.0)
    tasks = [task for task in plan(lab) if task.mutant.name == "a_few_at_a_time"]
    if not tasks and lab.short not in FINISHED:
        pytest.skip("this lab trains nothing yet")
    [few] = tasks
    source = re.sub(r"\.split\(\d+\)", ".split(4)", few.mutant.source)
    assert source != few.mutant.source
    row = row_of(replace(few, mutant=replace(few.mutant, source=source), challenges=1))
    assert row.ok and row.challenges == 1, row.misses


def test_a_gradient_that_cancels_is_no_mistake():
    """On this challenge a float32 gradient is 3e-5, a sum of terms of order 1, and was once rejected."""
    tasks = [
        task for task in plan(find_lab("lab3")) if task.mutant.exercise == "lab3.classifier_loss" and task.mutant.right
    ]
    rows = [row_of(replace(task, first=3730, challenges=1)) for task in tasks]
    assert len(rows) > 5 and all(row.ok for row in rows), [row.misses for row in rows if not row.ok]


def test_adding_an_exercise_costs_a_probe_a_verdict_and_mutants(lab):
    """Nothing but the names of an exercise ties the four together: no list elsewhere has to be kept."""
    named = {task.mutant.exercise for task in plan(lab)}
    for entry in automatic(lab):
        assert callable(entry.probe) and callable(entry.public) and callable(find_verdict(entry))
        mine = [task.mutant for task in plan(lab) if task.mutant.exercise == entry.name]
        least = minimum(lab)
        assert sum(not m.right for m in mine) >= least.wrong, f"{entry.name}: more wrong answers"
        assert sum(m.right for m in mine if m.kind != "model") >= least.right, f"{entry.name}: more right ones"
        assert all(m.finds for m in mine if not m.right)
    assert named == {entry.name for entry in automatic(lab)}
