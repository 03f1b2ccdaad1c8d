"""A magic that does not exist."""

from tests.intake.damages import FULL, insert

damage = insert("%no_such_magic")
points = FULL
said = None
