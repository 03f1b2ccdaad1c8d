"""Test edited."""

from tests.intake.damages import FULL, LOSS, edit

damage = edit(LOSS, lambda c: c.update(source="assert True"))
points = FULL
said = "was changed"
