"""The ids of all cells are numbers."""

from tests.intake.damages import FULL


def damage(nb):
    for number, cell in enumerate(nb.cells):
        cell["id"] = number


points = FULL
said = None
