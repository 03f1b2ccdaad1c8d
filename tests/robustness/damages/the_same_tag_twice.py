"""The same tag twice."""

from tests.intake.damages import FULL, LOSS, edit

damage = edit(LOSS + "_answer", lambda c: c.metadata.update(tags=["a", "a", "b,c"]))
points = FULL
said = None
