"""The version of the format is a text."""

from tests.intake.damages import FULL


def damage(nb):
    nb["nbformat"] = "4"


points = FULL
said = None
