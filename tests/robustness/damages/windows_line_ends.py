"""Windows line ends."""

from tests.intake.damages import FULL, crlf, each

damage = each(crlf)
points = FULL
said = None
