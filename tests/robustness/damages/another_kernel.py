"""The notebook says that it is written in R."""

from tests.intake.damages import FULL


def damage(nb):
    nb["metadata"]["kernelspec"] = {"name": "ir", "language": "R", "display_name": "R"}


points = FULL
said = None
