"""The kill matrix, and no public function of utils is an answer."""

import importlib
import inspect
import json
import pkgutil
import zlib

import pytest

import utils
from autograder import ROOT
from autograder.course.labs import Lab, find_lab, labs
from autograder.exercises.kits.mutants import Mutant
from autograder.validation.fingerprint import fingerprints
from autograder.validation.kill_matrix import MatrixTask, answers_of, plan, run, verdicts
from tests.validation.teaching import faults, statement_of
from utils.checks.exercise import load


def tasks_of(lab: Lab, name: str) -> list[MatrixTask]:
    """Return the answers of an exercise that are tried here, with one challenge each.

    An exercise whose code is that of the committed full run was tried with thousands: its model answer is enough.
    Of the others, all right answers and a third of the wrong ones are tried; `make validate` tries all.
    """
    report = ROOT / "docs" / "validate" / f"{lab.short}.json"
    made = json.loads(report.read_text(encoding="utf-8"))["fingerprints"] if report.exists() else {}
    tasks = plan(lab, right_challenges=1, wrong_challenges=1, only=name)
    unchanged = made.get(name) == fingerprints(lab)[name]
    return [t for t in tasks if t.mutant.kind == "model" or (not unchanged and (t.mutant.right or is_chosen(t.mutant)))]


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
