"""Every public name of utils says what it takes, returns and raises, and every example runs."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re

import pytest

import utils
from utils import conventions

# The exercises' own folders are written for probes; their tests lie in tests/exercises.
EXERCISES = re.compile(r"utils\.checks\.(lab\d+|kits|cross_entropy)\b")
MODULES = ["utils"] + [
    found.name for found in pkgutil.walk_packages(utils.__path__, "utils.") if not EXERCISES.match(found.name)
]


def public_things(module):
    """(qualified name, object, parameters that need words) of the functions, classes and methods of one module."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing):
            yield name, thing, class_parameters(thing)
            for member, value in vars(thing).items():
                if not member.startswith("_"):
                    function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
                    if inspect.isfunction(function):
                        yield f"{name}.{member}", getattr(thing, member), parameters(function)[1:]
        elif inspect.isfunction(thing):
            yield name, thing, parameters(thing)


def parameters(function) -> list[str]:
    kinds = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    names = [kinds.get(p.kind, "") + p.name for p in inspect.signature(function).parameters.values()]
    return [name for name in names if not name.startswith("_")]


def class_parameters(thing) -> list[str]:
    if dataclasses.is_dataclass(thing) or hasattr(thing, "_fields"):
        return parameters(thing)
    if "__init__" in vars(thing) and not getattr(thing, "_is_protocol", False):
        return parameters(thing.__init__)[1:]
    return []


def returns_something(thing) -> bool:
    function = thing.fget if isinstance(thing, property) else inspect.unwrap(thing)
    if inspect.isclass(thing):
        return False
    annotation = getattr(function, "__annotations__", {}).get("return", "None")
    return str(annotation) not in ("None", "<class 'NoneType'>", "NoReturn")


def section(text: str, name: str) -> str:
    match = re.search(rf"^{name}:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_the_sections_that_it_needs(module):
    wrong = []
    for name, thing, names in public_things(importlib.import_module(module)):
        text = inspect.getdoc(thing) or ""
        summary = text.split("\n")[0]
        if not summary.endswith((".", ":")):
            wrong.append(f"{name}: the summary is {summary!r}")
        described = re.findall(r"^    (\*{0,2}\w+):", section(text, "Args"), re.MULTILINE)
        if described != names:
            wrong.append(f"{name}: takes {names}, describes {described}")
        if returns_something(thing) and not (section(text, "Returns") or section(text, "Yields")):
            wrong.append(f"{name}: does not say what it returns")
    assert wrong == []


def test_the_check_sees_a_lack():
    def silent(x: int) -> int:
        return x

    assert parameters(silent) == ["x"] and returns_something(silent) and section(silent.__doc__ or "", "Args") == ""


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(importlib.import_module(module))
    assert failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 40


def test_the_packages_docstring_holds_the_table_of_conventions():
    indented = "\n".join(f"    {line}".rstrip() for line in conventions.table().splitlines())
    assert indented in utils.__doc__
