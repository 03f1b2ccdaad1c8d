"""What instructors run: sandbox, verdicts, repair, reports. Never shipped to students."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# jsonschema, which reads notebooks' format, compiles a grammar for each part of an international web address: two
# seconds in every process. No schema of a notebook has such an address. With None its import fails, and jsonschema
# works without it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
