"""Old schema version."""

from tests.intake.damages import FULL, LOSS, set_nbgrader

damage = set_nbgrader(LOSS + "_answer", schema_version=1)
points = FULL
said = None
