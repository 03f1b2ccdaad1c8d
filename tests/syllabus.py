"""What the finished labs have. Tests look a lab up here; a new lab, which is not listed, has no such minimum yet."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.course.labs import Lab


@dataclass(frozen=True)
class Minimum:
    """What a lab has, exactly or at least.

    Args:
        exercises: their number; None if any will do.
        points: their sum; None if any will do.
        figures: at least so many on the lab's page.
        formulas: at least so many on the lab's page.
        answers: at least so many blank answers.
        wrong: at least so many wrong answers to each exercise in the kill matrix.
        right: at least so many right ones, besides the model answer.
        executed: whether the committed notebook has outputs.
    """

    exercises: int | None = None
    points: float | None = None
    figures: int = 0
    formulas: int = 0
    answers: int = 1
    wrong: int = 1
    right: int = 1
    executed: bool = False


NEW = Minimum()
FINISHED = {
    "lab1": Minimum(exercises=7, points=18, figures=8, formulas=51, answers=5, wrong=10, right=5, executed=True),
    "lab2": Minimum(exercises=7, points=18, figures=8, formulas=51, answers=5, wrong=10, right=5, executed=True),
    "lab3": Minimum(exercises=9, points=18, figures=8, formulas=51, answers=5, wrong=10, right=5, executed=True),
    "lab4": Minimum(exercises=7, points=18, figures=8, formulas=51, answers=5, wrong=10, right=5, executed=True),
}


def minimum(lab: Lab) -> Minimum:
    """Return what a lab has."""
    return FINISHED.get(lab.short, NEW)
