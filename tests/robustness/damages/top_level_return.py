"""Top-level return."""

from tests.intake.damages import FULL, insert

damage = insert("return 1")
points = FULL
said = None
