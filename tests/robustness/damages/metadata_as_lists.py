"""The metadata of every cell is a list."""

from tests.intake.damages import FULL


def damage(nb):
    for cell in nb.cells:
        cell["metadata"] = []


points = FULL
said = "lost metadata"
