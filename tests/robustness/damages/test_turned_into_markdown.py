"""Test turned into markdown."""

from tests.intake.damages import FULL, LOSS, retype

damage = retype(LOSS, "markdown")
points = FULL
said = "converted back"
