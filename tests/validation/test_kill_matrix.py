"""The kill matrix, and no public function of utils is an answer."""

import importlib
import inspect
import pkgutil

import utils
from autograder.validation.kill_matrix import answers_of, plan, run, verdicts
from tests.validation.teaching import faults, statement_of
from utils.checks.exercise import load


def test_every_wrong_answer_is_caught_and_every_right_one_accepted(lab):
    rows = list(run(plan(lab)))
    assert rows
    misses = [f"{row.exercise} {row.name}: {row.misses[0]}" for row in rows if not row.ok]
    assert not misses, "\n".join(misses)
    # A finding teaches: few sentences, a plain first one, and not the answer.
    answers, statement = answers_of(lab), statement_of(lab)
    faulty = [
        f"{row.exercise} {row.name}: {code}: {fault}: {message}"
        for row in rows
        for code, message in row.messages.items()
        for fault in faults(message, answers[row.exercise], code, statement)
    ]
    assert not faulty, "\n".join(faulty)


def public_things():
    for module in pkgutil.walk_packages(utils.__path__, "utils."):
        if module.name.startswith(("utils.checks", "utils.experiments")) or module.name.endswith("__main__"):
            continue
        loaded = importlib.import_module(module.name)
        for name, thing in list(vars(loaded).items()):
            if not name.startswith("_") and callable(thing) and getattr(thing, "__module__", "").startswith("utils"):
                yield f"{module.name}.{name}", thing
                if inspect.isclass(thing):
                    for method, function in inspect.getmembers(thing, inspect.isfunction):
                        if not method.startswith("_"):
                            yield f"{module.name}.{name}.{method}", function


def test_no_public_function_of_utils_scores(lab, solved_lab):
    """Each is put in place of each graded function, and of each method of each graded class."""
    base = solved_lab(lab).namespace
    for entry in (e for e in load(lab.short) if not e.manual):
        for name, thing in public_things():
            namespace = dict(base) | dict.fromkeys(entry.names, thing)
            verdict = next(verdicts(entry, namespace, 1))
            assert verdict.points == 0, f"{name} scores {verdict.points} as an answer to {entry.name}"
