"""Essay copied."""

from tests.intake.damages import FULL, twice

damage = twice("lab4_guidance_essay")
points = FULL
said = "second copy"
