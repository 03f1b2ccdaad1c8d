"""Set-up deleted."""

from tests.intake.damages import FULL, drop

damage = drop("setup")
points = FULL
said = "missing cell"
