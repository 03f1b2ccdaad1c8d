"""Read the variables of the frames that called the cell."""

import sys

print(sys._getframe(1).f_globals.keys(), sys._getframe(3).f_locals.keys())
