"""Nbgrader metadata is a list."""

from tests.intake.damages import FULL, LOSS, edit

damage = edit(LOSS + "_answer", lambda c: c.metadata.update(nbgrader=[1, 2]))
points = FULL
said = None
