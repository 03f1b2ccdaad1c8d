"""Nothing."""

from tests.intake.damages import FULL


def damage(nb):
    return None


points = FULL
said = None
