"""Answer copied below."""

from tests.intake.damages import FULL, LOSS, twice

damage = twice(LOSS + "_answer")
points = FULL
said = "second copy"
