"""Null bytes in a cell."""

from tests.intake.damages import FULL, insert

damage = insert("x = '\x00'")
points = FULL
said = None
