"""The hidden verdicts by name: pure functions of a challenge and the evidence."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

from utils.checks.exercise import Exercise
from utils.checks.judging import Judge

VERDICTS: dict[str, Callable[[Judge], None]] = {}


def verdict(name: str) -> Callable[[Callable[[Judge], None]], Callable[[Judge], None]]:
    """Register the hidden verdict of an exercise."""

    def register(function: Callable[[Judge], None]) -> Callable[[Judge], None]:
        VERDICTS[name] = function
        return function

    return register


def find_verdict(entry: Exercise) -> Callable[[Judge], None]:
    """Return the hidden verdict of an exercise: the function `verdict` of its module."""
    lab, name = entry.name.split(".")
    if importlib.util.find_spec(f"autograder.exercises.{lab}").submodule_search_locations is not None:
        return importlib.import_module(f"autograder.exercises.{lab}.{name}").verdict
    importlib.import_module(f"autograder.exercises.{entry.lab}")
    return VERDICTS[entry.name]
