"""Find the hidden verdict of an exercise: a pure function of a challenge and the evidence."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from utils.checks.exercise import Exercise
from utils.checks.judging import Judge


def find_verdict(entry: Exercise) -> Callable[[Judge], None]:
    """Return the function `verdict` of the exercise's module."""
    return importlib.import_module(f"autograder.exercises.{entry.name}").verdict
