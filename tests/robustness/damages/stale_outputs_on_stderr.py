"""Stale outputs on stderr."""

from tests.intake.damages import FULL, each, old_outputs

damage = each(old_outputs)
points = FULL
said = None
