"""One test deleted."""

from tests.intake.damages import FULL, LOSS, drop

damage = drop(LOSS)
points = FULL
said = "missing cell"
