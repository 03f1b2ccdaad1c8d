"""Grade_id is a number."""

from tests.intake.damages import FULL, LOSS, set_nbgrader

damage = set_nbgrader(LOSS + "_answer", grade_id=7)
points = FULL
said = None
