"""Points raised to 1000."""

from tests.intake.damages import FULL, LOSS, set_nbgrader

damage = set_nbgrader(LOSS, points=1000)
points = FULL
said = None
