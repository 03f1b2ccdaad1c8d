"""Answer turned into markdown."""

from tests.intake.damages import FULL, LOSS, retype

damage = retype(LOSS + "_answer", "markdown")
points = FULL
said = "converted back"
