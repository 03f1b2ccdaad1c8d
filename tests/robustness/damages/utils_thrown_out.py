"""Utils thrown out."""

from tests.intake.damages import FULL, insert

damage = insert("import sys\nfor name in [n for n in sys.modules if n.startswith('utils')]: del sys.modules[name]")
points = FULL
said = None
