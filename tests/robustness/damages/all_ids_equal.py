"""All ids equal."""

from tests.intake.damages import FULL, same_ids

damage = same_ids
points = FULL
said = None
