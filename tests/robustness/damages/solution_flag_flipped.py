"""Solution flag flipped."""

from tests.intake.damages import FULL, LOSS, set_nbgrader

damage = set_nbgrader(LOSS + "_answer", solution=False, grade=True, points=99)
points = FULL
said = None
