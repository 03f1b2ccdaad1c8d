"""Answer copied to the end."""

from tests.intake.damages import FULL, LOSS, twice

damage = twice(LOSS + "_answer", at_end=True)
points = FULL
said = "second copy"
