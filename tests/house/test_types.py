"""Mypy checks at least 80 % of the lines of both packages, and takes None seriously."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from autograder import ROOT

LEAST_SHARE = 0.8
PACKAGES = ("autograder", "utils")


def settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]


def modules_without_checks(config: dict) -> list[str]:
    """Return the modules, perhaps with a star, whose errors mypy ignores by configuration."""
    silent = []
    for override in config.get("overrides", []):
        if override.get("ignore_errors") or override.get("follow_imports") in ("skip", "silent"):
            modules = override["module"]
            silent += [modules] if isinstance(modules, str) else modules
    return silent


def is_checked(path: Path, config: dict) -> bool:
    """Return whether a file is in mypy's configured set, and no setting or comment takes it out."""
    name = path.relative_to(ROOT).as_posix()
    excluded = config.get("exclude", [])
    if any(re.search(pattern, name) for pattern in ([excluded] if isinstance(excluded, str) else excluded)):
        return False
    if not any(name == entry or name.startswith(f"{entry}/") for entry in config["files"]):
        return False
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    silent = [pattern.removesuffix(".*") for pattern in modules_without_checks(config)]
    if any(module == pattern or module.startswith(f"{pattern}.") for pattern in silent):
        return False
    return "# mypy: ignore-errors" not in path.read_text(encoding="utf-8")


def share_checked(config: dict) -> float:
    lines, checked = 0, 0
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            length = len(path.read_text(encoding="utf-8").splitlines())
            lines += length
            checked += length * is_checked(path, config)
    return checked / lines


def test_mypy_checks_most_lines():
    assert share_checked(settings()) >= LEAST_SHARE


def test_mypy_is_strict_about_none_and_looks_into_every_function():
    config = settings()
    assert config["strict_optional"] and config["check_untyped_defs"] and "follow_imports" not in config


def test_the_count_notices_what_is_left_out():
    config = settings()
    assert share_checked(config | {"files": ["autograder"]}) < share_checked(config)
    assert share_checked(config | {"exclude": [r"lab[1-4]/"]}) < share_checked(config)
    silent = [{"module": ["autograder.exercises.*"], "ignore_errors": True}]
    assert share_checked(config | {"overrides": silent}) < share_checked(config)
