"""Warnings on stderr."""

from tests.intake.damages import FULL, LOSS, insert

damage = insert("import warnings, sys\nwarnings.warn('w')\nprint('x', file=sys.stderr)", LOSS)
points = FULL
said = None
