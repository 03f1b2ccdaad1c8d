"""A part of the notebook is not a number."""

from tests.intake.damages import FULL


def damage(nb):
    nb["metadata"]["score"] = float("nan")
    nb["nbformat_minor"] = float("inf")


points = FULL
said = None
