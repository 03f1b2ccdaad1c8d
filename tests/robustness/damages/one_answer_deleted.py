"""One answer deleted."""

from tests.intake.damages import FULL, LOSS, drop

damage = drop(LOSS + "_answer")
points = FULL - 4
said = "missing cell"
