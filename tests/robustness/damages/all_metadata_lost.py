"""All metadata lost."""

from tests.intake.damages import FULL, each, forget

damage = each(forget)
points = FULL
said = "lost metadata"
