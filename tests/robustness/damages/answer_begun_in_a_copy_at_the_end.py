"""Answer begun in a copy at the end."""

from tests.intake.damages import FULL, begun_below

damage = begun_below
points = FULL
said = "second copy"
