"""Notebook metadata lost."""

from tests.intake.damages import FULL


def damage(nb):
    return nb.update(metadata={})


points = FULL
said = None
