"""Load the modules of the checks again, and put an empty registry in place of the full one."""

import importlib
import sys

for name in sorted(name for name in sys.modules if name.startswith("utils.checks")):
    try:
        importlib.reload(sys.modules[name])
    except Exception:
        pass
sys.modules["utils.checks.exercise"].REGISTRY.clear()
