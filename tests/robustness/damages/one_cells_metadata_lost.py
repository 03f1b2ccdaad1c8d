"""One cell's metadata lost."""

from tests.intake.damages import FULL, LOSS, edit, forget

damage = edit(LOSS + "_answer", forget)
points = FULL
said = "lost metadata"
