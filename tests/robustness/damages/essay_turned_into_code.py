"""Essay turned into code."""

from tests.intake.damages import FULL, retype

damage = retype("lab4_guidance_essay", "code")
points = FULL
said = "converted back"
