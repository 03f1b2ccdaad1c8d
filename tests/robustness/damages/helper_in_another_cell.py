"""Helper in another cell."""

from tests.intake.damages import FULL, split_answer

damage = split_answer
points = FULL
said = None
