"""Metadata of two answers swapped."""

from tests.intake.damages import FULL, wrong_metadata

damage = wrong_metadata
points = FULL
said = None
