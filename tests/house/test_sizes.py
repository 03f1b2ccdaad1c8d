"""Small files, short functions: what a newcomer can read in one sitting. The longest ones are printed."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

from autograder import ROOT

MOST_LINES, LONGEST_FUNCTION = 400, 60
REASON = "# long:"  # on the line of `def`, with the reason


def python_files() -> list[Path]:
    """All hand-written Python files but the labs' sources."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split() if not name.startswith("solutions/lab") and (ROOT / name).exists()]


def functions(path: Path):
    """Yield (lines, name, first line) of each function of a file."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.end_lineno - node.lineno + 1, node.name, lines[node.lineno - 1]


def test_no_file_is_longer_than_400_lines():
    sizes = sorted(((len(p.read_text(encoding="utf-8").splitlines()), p) for p in python_files()), reverse=True)
    for size, path in sizes[:3]:
        print(f"{size} lines: {path.relative_to(ROOT)}")
    assert not [f"{path}: {size}" for size, path in sizes if size > MOST_LINES]


def test_no_function_is_longer_than_60_lines_without_a_reason():
    found = sorted(
        ((size, name, path, first) for path in python_files() for size, name, first in functions(path)),
        key=lambda row: -row[0],
    )
    for size, name, path, _ in found[:3]:
        print(f"{size} lines: {name} in {path.relative_to(ROOT)}")
    assert not [
        f"{path}: {name}: {size}"
        for size, name, path, first in found
        if size > LONGEST_FUNCTION and REASON not in first
    ]
