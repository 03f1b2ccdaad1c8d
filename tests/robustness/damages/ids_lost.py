"""Ids lost."""

from tests.intake.damages import FULL, forget_ids

damage = forget_ids
points = FULL
said = None
