"""Hash all code that an exercise's grade depends on, so that a change undoes only the results that it can touch."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from autograder import ROOT
from autograder.course.cells import exercise_of, role_of
from autograder.course.labs import Lab
from autograder.course.source import read_source
from utils.checks.exercise import Exercise, load

NAMES_ONLY = ("utils.labs", "utils.version")  # a new lab or version changes no result


def fingerprints(lab: Lab) -> dict[str, str]:
    """Return the fingerprint of each automatic exercise of a lab."""
    cells = [(role_of(cell), exercise_of(cell), cell.source) for cell in read_source(lab).cells]
    return {entry.name: fingerprint(entry, cells) for entry in load(lab.short) if not entry.manual}


def fingerprint(entry: Exercise, cells: list[tuple[str, str | None, str]]) -> str:
    """Return a hash of all code that an exercise's grade depends on, ignoring comments, docstrings and formatting."""
    setup = parse("\n".join(source for role, _, source in cells if role == "setup"))
    answer = ("answer", entry.name)
    code = parse("\n".join(source for *kind, source in cells if kind[0] == "definitions" or tuple(kind) == answer))
    used = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}  # not the imports for figures, say
    modules = [f"{package}.{entry.name}" for package in ("utils.checks", "autograder.exercises")]
    modules += ["utils.checks.exercise", "utils.checks.judging", *imports(code), *imports(setup, used)]
    reached: dict[str, str] = {}
    while modules:
        if (name := modules.pop()) not in reached and (path := path_of(name)):
            reached[name], more = read(path)
            modules += more
    parts = [ast.dump(setup), ast.dump(code), repr((entry.points, entry.names)), *map(repr, sorted(reached.items()))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def read(path: Path) -> tuple[str, list[str]]:
    """Return the code of a file, and the modules that it imports."""
    tree = parse(path.read_text(encoding="utf-8"))
    return ast.dump(tree), imports(tree)


def parse(source: str) -> ast.Module:
    """Return the tree of a source, without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def path_of(module: str) -> Path | None:
    """Return the file of a module of ours, and None for any other."""
    place = ROOT / module.replace(".", "/")
    files = [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
    ours = module.startswith(("utils.", "autograder.exercises.")) and module not in NAMES_ONLY
    return files[0] if files and ours else None


def imports(tree: ast.Module, used: set[str] | None = None) -> list[str]:
    """Return the modules that `from … import …` names; with `used`, only if it binds one of these names."""
    nodes = [(node, alias) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    pairs = [(f"{n.module}", a.name) for n, a in nodes if used is None or (a.asname or a.name) in used]
    return [f"{module}.{name}" if path_of(f"{module}.{name}") else module for module, name in pairs]
