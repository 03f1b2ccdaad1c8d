"""An import that is missing."""

from tests.intake.damages import FULL, insert

damage = insert("import no_such_module")
points = FULL
said = None
