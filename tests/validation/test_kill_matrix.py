"""The kill matrix, and no public function of utils is an answer."""

import importlib
import inspect
import pkgutil
import zlib

import pytest

import utils
from autograder.course.labs import Lab, find_lab, labs
from autograder.exercises.kits.mutants import Mutant
from autograder.validation.fingerprint import fingerprints
from autograder.validation.kill_matrix import Endless, MatrixTask, answers_of, plan, run, verdicts
from autograder.validation.long_run import answer_key, read_report
from autograder.validation.report import REPORTS
from tests.validation.teaching import faults, statement_of
from utils.checks.exercise import load


def tasks_of(lab: Lab, name: str) -> list[MatrixTask]:
    """Return the answers of an exercise that are tried here, with one challenge each.

    What the committed report of the full run has tried with the present code is not tried again, but for the model
    answer. Of the rest, all right answers and a third of the wrong ones are tried; `make validate` tries all.
    """
    tried = read_report(REPORTS / f"{lab.short}.json", fingerprints(lab))
    tasks = plan(lab, right_challenges=1, wrong_challenges=1, only=name)
    return [
        task
        for task in tasks
        if task.mutant.kind == "model"
        or (answer_key(task) not in tried and (task.mutant.right or is_chosen(task.mutant)))
    ]


def is_chosen(mutant: Mutant) -> bool:
    """Return whether a wrong answer is in the third that every run of the tests tries."""
    return zlib.crc32(mutant.name.encode()) % 3 == 0


@pytest.mark.parametrize("name", [e.name for lab in labs() for e in load(lab.short) if not e.manual])
def test_every_wrong_answer_is_caught_and_every_right_one_accepted(name):
    lab = find_lab(name.split(".")[0])
    rows = list(run(tasks_of(lab, name)))
    assert rows
    misses = [f"{row.exercise} {row.name}: {row.misses[0]}" for row in rows if not row.ok]
    assert not misses, "\n".join(misses)
    # A finding teaches: few sentences, a plain first one, and not the answer.
    answer, statement = answers_of(lab)[name], statement_of(lab)
    faulty = [
        f"{row.name}: {code}: {fault}: {message}"
        for row in rows
        for code, message in row.messages.items()
        for fault in faults(message, answer, code, statement)
    ]
    assert not faulty, "\n".join(faulty)


# The tests themselves, and what trains or draws: long to call, and no answer.
NO_ANSWERS = ("utils.checks", "utils.experiments", "utils.explorables", "utils.figures")


def public_things():
    for module in pkgutil.walk_packages(utils.__path__, "utils."):
        if module.name.startswith(NO_ANSWERS) or module.name.endswith("__main__"):
            continue
        loaded = importlib.import_module(module.name)
        for name, thing in list(vars(loaded).items()):
            if not name.startswith("_") and callable(thing) and getattr(thing, "__module__", "").startswith("utils"):
                yield f"{module.name}.{name}", thing
                if inspect.isclass(thing):
                    for method, function in inspect.getmembers(thing, inspect.isfunction):
                        if not method.startswith("_"):
                            yield f"{module.name}.{name}.{method}", function


@pytest.mark.parametrize("every", [64, pytest.param(1, marks=pytest.mark.slow)])
def test_no_public_function_of_utils_scores(every, lab, solved_lab):
    """Each is put in place of each graded function, or of each method of a graded class. CI tries one in 64."""
    base = solved_lab(lab).namespace
    pairs = [(entry, *thing) for entry in load(lab.short) if not entry.manual for thing in public_things()]
    for entry, name, thing in pairs:
        if zlib.crc32(f"{entry.name} {name}".encode()) % every == 0:
            namespace = dict(base) | dict.fromkeys(entry.names, thing)
            try:
                verdict = next(verdicts(entry, namespace, 1))
            except Endless:  # a KeyboardInterrupt, which would end the process of the tests
                continue
            assert verdict.points == 0, f"{name} scores {verdict.points} as an answer to {entry.name}"
