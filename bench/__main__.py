"""`make bench`: every measurement in this folder, one after the other."""

from __future__ import annotations

import importlib
from pathlib import Path

for path in sorted(Path(__file__).parent.glob("bench_*.py")):
    print(f"\n== {path.stem}", flush=True)
    importlib.import_module(f"bench.{path.stem}").main([])
