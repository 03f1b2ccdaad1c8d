"""Syntax error in one answer."""

from tests.intake.damages import FULL, LOSS, edit

damage = edit(LOSS + "_answer", lambda c: c.update(source=c.source + "\ndef broken(:"))
points = FULL - 4
said = "define"
