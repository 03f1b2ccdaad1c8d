"""Two answers in one cell."""

from tests.intake.damages import FULL, merge_answers

damage = merge_answers
points = FULL
said = None
