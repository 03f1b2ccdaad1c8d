"""Test emptied."""

from tests.intake.damages import FULL, LOSS, edit

damage = edit(LOSS, lambda c: c.update(source=""))
points = FULL
said = "was changed"
