"""Marker line deleted."""

from tests.intake.damages import FULL, LOSS, edit

damage = edit(LOSS + "_answer", lambda c: c.update(source=c.source.split("\n", 1)[1]))
points = FULL
said = None
