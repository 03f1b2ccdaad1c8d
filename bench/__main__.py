"""`make bench`: every measurement in this folder, one after the other."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

failed = []
for path in sorted(Path(__file__).parent.glob("bench_*.py")):
    print(f"\n== {path.stem}", flush=True)
    if importlib.import_module(f"bench.{path.stem}").main([]):
        failed.append(path.stem)
sys.exit(f"\nnot as it should be: {', '.join(failed)}" if failed else 0)
