"""No cell says what type it has."""

from tests.intake.damages import FULL


def damage(nb):
    for cell in nb.cells:
        del cell["cell_type"]


points = FULL
said = "converted back"
