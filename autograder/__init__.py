"""What instructors run: sandbox, verdicts, repair, reports. Never shipped to students."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
