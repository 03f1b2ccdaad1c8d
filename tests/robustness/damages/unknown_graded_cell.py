"""Unknown graded cell."""

from tests.intake.damages import FULL, insert

damage = insert("# GRADED: lab4.no_such_exercise\n1")
points = FULL
said = None
