"""Set-up edited."""

from tests.intake.damages import FULL, edit

damage = edit("setup", lambda c: c.update(source="1/0"))
points = FULL
said = None
