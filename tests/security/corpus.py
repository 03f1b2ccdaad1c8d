"""The corpus of attacks: one attack a file in `attacks`, whose first line says what it tries.

Comments below the docstring describe how it is used:

- `# expect: KIND`: "nothing gained" (default), "hang", "limit", or "own test" for attacks with a test of their own;
- `# place: PLACE`: "before" the answers (default), in the cell of an "answer", or "after" all cells;
- `# uses: forge`: the source of `forge.py` is put before it;
- `# reported: WORDS`: these words are in a problem of the grade;
- `# takes: long`: it hangs or makes a new template necessary, as others do: `make test-slow` runs it, and not CI.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FIELD = re.compile(r"^# (expect|place|uses|reported|takes): (.+)$", re.M)


@dataclass(frozen=True)
class Attack:
    """One attack; `source` has no docstring, so that the words of the docstring are in no traceback."""

    name: str
    description: str
    source: str
    expect: str = "nothing gained"
    place: str = "before"
    reported: str = ""
    takes: str = "seconds"


def load(name: str) -> Attack:
    """Return the attack in `attacks/NAME.py`."""
    text = (HERE / "attacks" / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    description = ast.get_docstring(tree) or ""
    fields = dict(FIELD.findall(text))
    source = "\n".join(text.splitlines()[tree.body[0].end_lineno :]).strip()
    if fields.pop("uses", "") == "forge":
        source = (HERE / "forge.py").read_text(encoding="utf-8") + "\n\n" + source
    return Attack(name, description, source, **fields)


ATTACKS = [load(path.stem) for path in sorted((HERE / "attacks").glob("*.py"))]


def expecting(kind: str) -> list[Attack]:
    """Return the attacks of one kind."""
    return [attack for attack in ATTACKS if attack.expect == kind]
