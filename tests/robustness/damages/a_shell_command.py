"""A shell command."""

from tests.intake.damages import FULL, insert

damage = insert("!true")
points = FULL
said = None
