"""The damages of an honest submission, one a file, whose first line says what is damaged.

`damages/` has damages of a right submission: what is done to it, the points that it still earns, and a word of the
message that its student reads. `rejected/` has files that are rejected with a sentence.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent


def load(folder: str) -> dict[str, ModuleType]:
    """Return the cases of a folder by what their first line says."""
    names = sorted(path.stem for path in (HERE / folder).glob("*.py"))
    modules = [importlib.import_module(f"tests.robustness.{folder}.{name}") for name in names]
    return {(module.__doc__ or "").strip().rstrip("."): module for module in modules}


DAMAGES, REJECTED = load("damages"), load("rejected")
