"""A kind of cell that is a list."""

import nbformat

from tests.intake.damages import FULL


def damage(nb):
    return nb.cells.insert(0, nbformat.NotebookNode(cell_type=["code"], source="x", metadata={}, id="list"))


points = FULL
said = None
