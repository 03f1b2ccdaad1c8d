"""Replace print and len in the builtins."""

import builtins

builtins.print = builtins.len = lambda *a, **k: 4
