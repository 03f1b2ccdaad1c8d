"""The version of the format is 4.5."""

from tests.intake.damages import FULL


def damage(nb):
    nb["nbformat"] = 4.5


points = FULL
said = None
