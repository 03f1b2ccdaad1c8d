"""Grade flag flipped."""

from tests.intake.damages import FULL, LOSS, set_nbgrader

damage = set_nbgrader(LOSS, grade=False, solution=True)
points = FULL
said = None
