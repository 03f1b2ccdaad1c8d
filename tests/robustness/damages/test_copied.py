"""Test copied."""

from tests.intake.damages import FULL, LOSS, twice

damage = twice(LOSS)
points = FULL
said = "second copy"
