"""Set-up copied."""

from tests.intake.damages import FULL, twice

damage = twice("setup")
points = FULL
said = "second copy"
