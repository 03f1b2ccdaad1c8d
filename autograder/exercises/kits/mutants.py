"""Wrong and right answers on which the grader itself is tested, one module a lab."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from autograder.errors import SourceError
from utils.checks.exercise import load as load_exercises

Edit = tuple[str, str]


@dataclass(frozen=True)
class Mutant:
    """An answer to one exercise: the model answer with edits, or a source of its own."""

    exercise: str
    name: str
    right: bool
    finds: tuple[str, ...] = ()  # the codes of which a wrong answer must get one
    edits: tuple[Edit, ...] = ()
    source: str | None = None
    setup: str = ""  # code of another cell, run before the answer
    rate: float = 1.0  # the least share of submissions in which a wrong answer is caught
    kind: str = ""  # "model", "generic", or by hand
    equivalent: str = ""  # why a generic change is no mistake

    def answer(self, model_answer: str) -> str:
        """The source of the answer cell.

        Raises:
            ValueError: an edit's old text does not occur in the model answer.
        """
        if self.source is not None:
            return self.source
        for old, new in self.edits:
            if old not in model_answer:
                raise ValueError(f"{self.exercise} {self.name}: the model answer does not contain {old!r}")
            model_answer = model_answer.replace(old, new)
        return model_answer


MUTANTS: list[Mutant] = []


def _add(exercise: str, name: str, right: bool, finds, edit, source, setup, rate=1.0) -> None:
    edits = () if edit is None else (tuple(edit),) if isinstance(edit[0], str) else tuple(map(tuple, edit))
    if bool(edits) == (source is not None):
        raise SourceError(f"the mutant {name} of {exercise} needs either an edit or a source")
    if any(m.exercise == exercise and m.name == name for m in MUTANTS):
        raise SourceError(f"two mutants of {exercise} have the name {name}")
    codes = (finds,) if isinstance(finds, str) else tuple(finds)
    MUTANTS.append(Mutant(exercise, name, right, codes, edits, source, setup, rate))


def wrong(
    exercise: str,
    name: str,
    finds: str | tuple[str, ...],
    edit=None,
    source: str | None = None,
    setup: str = "",
    rate: float = 1.0,
) -> None:
    """A wrong answer, and the finding that it must get (or several, of which one is enough).

    `rate` is below 1 only where chance decides whether the mistake shows; the text of the exercise then says so.
    """
    _add(exercise, name, False, finds, edit, source, setup, rate)


def right(exercise: str, name: str, edit=None, source: str | None = None, setup: str = "") -> None:
    """A right answer written differently: it must get all points and no finding that costs any."""
    _add(exercise, name, True, (), edit, source, setup)


def mutants_of(exercise: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the two functions that register right and wrong answers to one exercise."""
    return partial(right, exercise), partial(wrong, exercise)


def load(lab: str) -> list[Mutant]:
    """Return the mutants of one lab (`lab4`), in the order of its exercises. An exercise may have none."""
    for entry in load_exercises(lab):
        module = f"autograder.exercises.{entry.name}_mutants"
        if not entry.manual and importlib.util.find_spec(module) is not None:
            importlib.import_module(module)
    return [mutant for mutant in MUTANTS if mutant.exercise.startswith(f"{lab}.")]
