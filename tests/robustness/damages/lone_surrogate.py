"""Lone surrogate."""

from tests.intake.damages import FULL, insert

damage = insert("x = '\ud800'")
points = FULL
said = None
