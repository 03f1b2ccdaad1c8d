"""Essay deleted."""

from tests.intake.damages import FULL, drop

damage = drop("lab4_guidance_essay")
points = FULL
said = "missing cell"
