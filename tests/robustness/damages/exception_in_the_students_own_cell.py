"""Exception in the student's own cell."""

from tests.intake.damages import FULL, LOSS, insert

damage = insert("raise ValueError('mine')", LOSS + "_answer")
points = FULL
said = None
