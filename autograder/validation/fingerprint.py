"""What the results of an exercise depend on: the code that its probe, its verdicts and its answer can reach.

The full run takes hours. Changing one exercise must not undo the results of the others, and changing a comment or a docstring
none.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from functools import cache

from autograder import ROOT
from autograder.course.cells import exercise_of, role_of
from autograder.course.labs import Lab
from autograder.course.source import read_source
from autograder.exercises.registry import find_verdict
from utils.checks.exercise import Exercise, load

OURS = ("utils", "autograder.exercises")
CORE = [("utils.checks.exercise", "run_probe"), ("utils.checks.judging", "judge_with")]
Place = tuple[str, str]  # a module, and a name in it


class Names:
    """The top-level names of some source: what is defined there, and what is imported from our modules."""

    def __init__(self, source: str):
        self.tree = without_docstrings(ast.parse(source))
        self.defined: dict[str, list[ast.stmt]] = {}
        self.imported: dict[str, Place] = {}
        for node in self.tree.body:
            for name in names_of(node):
                self.defined.setdefault(name, []).append(node)
        for part in ast.walk(self.tree):
            if isinstance(part, ast.ImportFrom) and part.module:
                self.imported |= {alias.asname or alias.name: (part.module, alias.name) for alias in part.names}

    def used_in(self, node: ast.AST) -> Iterator[str | Place]:
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                module, name = self.imported.get(part.value.id, ("", ""))
                yield f"{module}.{name}", part.attr
            if isinstance(part, ast.Name):
                yield part.id


def without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def names_of(node: ast.stmt) -> Iterator[str]:
    """What a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))


@cache
def read_module(module: str) -> Names | None:
    """None if it is not one of ours."""
    if not any(module == top or module.startswith(f"{top}.") for top in OURS):
        return None
    path = ROOT / module.replace(".", "/")
    files = [path.with_suffix(".py"), path / "__init__.py"]
    return next((Names(file.read_text(encoding="utf-8")) for file in files if file.is_file()), None)


def reach(places: list[Place]) -> dict[Place, list[ast.stmt]]:
    """The definitions of these names, of the names in these definitions, and so on."""
    found: dict[Place, list[ast.stmt]] = {}
    while places:
        module, name = places.pop()
        names = read_module(module)
        if names is None or (module, name) in found:
            continue
        if name not in names.defined:
            places += [names.imported[name]] if name in names.imported else []
            continue
        found[module, name] = names.defined[name]
        for node in names.defined[name]:
            places += [used if isinstance(used, tuple) else (module, used) for used in names.used_in(node)]
    return found


def place_of(function: Callable) -> Place:
    return function.__module__, function.__qualname__.split(".")[0]


def mark(lab: Lab, entry: Exercise) -> str:
    """Of the code that decides about an exercise; comments, docstrings and layout do not count."""
    cells = [
        cell.source
        for cell in read_source(lab).cells
        if role_of(cell) in ("setup", "definitions") or (role_of(cell) == "answer" and exercise_of(cell) == entry.name)
    ]
    own = Names("\n".join(cells))
    starts = [*CORE, *(place_of(f) for f in (entry.probe, entry.public, find_verdict(entry)) if f)]
    starts += [used if isinstance(used, tuple) else own.imported.get(used, ("", "")) for used in own.used_in(own.tree)]
    code = [ast.dump(own.tree), repr((entry.points, entry.names))]
    for place, nodes in sorted(reach(starts).items()):
        code += [repr(place), *map(ast.dump, nodes)]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:16]


def marks(lab: Lab) -> dict[str, str]:
    """Exercise -> mark, of those that a program grades."""
    return {entry.name: mark(lab, entry) for entry in load(lab.short) if not entry.manual}
