"""Utils reloaded."""

from tests.intake.damages import DRIFT, FULL, insert

damage = insert("import importlib, utils.checks\nimportlib.reload(utils.checks)", DRIFT + "_answer")
points = FULL
said = None
