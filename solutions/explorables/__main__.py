"""Make what `utils.explorables` stores: `python -m solutions.explorables [up_spins | digits | stills] …`, or all."""

from __future__ import annotations

import sys

from solutions.explorables.samples import store_digits, store_up_spins
from solutions.explorables.stills import store_stills

PARTS = {"up_spins": store_up_spins, "digits": store_digits, "stills": store_stills}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        print(PARTS[name]())
