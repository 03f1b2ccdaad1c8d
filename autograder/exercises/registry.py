"""The hidden verdicts by name: pure functions of a challenge and the evidence."""

from __future__ import annotations

import importlib
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
    importlib.import_module(f"autograder.exercises.{entry.lab}")
    return VERDICTS[entry.name]
