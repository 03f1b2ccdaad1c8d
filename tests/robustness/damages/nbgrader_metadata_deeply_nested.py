"""Nbgrader metadata deeply nested."""

import json

from tests.intake.damages import FULL, LOSS, set_nbgrader

damage = set_nbgrader(LOSS + "_answer", more=json.loads("[" * 500 + "]" * 500))
points = FULL
said = None
