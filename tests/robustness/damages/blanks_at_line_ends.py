"""An editor has left blanks at the end of every line."""

from tests.intake.damages import FULL, each

damage = each(lambda cell: cell.update(source=cell.source.replace("\n", "  \n")))


points = FULL
said = None
