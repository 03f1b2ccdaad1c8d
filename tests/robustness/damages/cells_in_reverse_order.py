"""Cells in reverse order."""

from tests.intake.damages import FULL, reverse

damage = reverse
points = FULL
said = "wrong place"
