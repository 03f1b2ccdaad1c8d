"""Answer turned into raw."""

from tests.intake.damages import FULL, LOSS, retype

damage = retype(LOSS + "_answer", "raw")
points = FULL
said = "converted back"
