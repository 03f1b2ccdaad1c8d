"""Definitions deleted."""

from autograder.course.cells import role_of
from tests.intake.damages import FULL, drop


def damage(nb):
    return drop(*[c.id for c in nb.cells if role_of(c) == "definitions"])(nb)


points = FULL
said = "missing cell"
