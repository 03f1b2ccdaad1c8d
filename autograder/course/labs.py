"""The labs of the course: their names, their files, and where their release is published."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder import ROOT
from autograder.errors import NoSuchLab
from utils.checks.exercise import LABS
from utils.version import VERSION


def settings() -> dict:
    """Return the content of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def address() -> str:
    """Where the students' release is published."""
    return f"https://github.com/{settings()['tool']['guidance-labs']['repository']}"


def wheel_name(version: str) -> str:
    return f"guidance_labs_utils-{version}-py3-none-any.whl"


def wheel_address() -> str:
    return f"{address()}/releases/download/v{VERSION}/{wheel_name(VERSION)}"


def colab_address(lab: Lab) -> str:
    repository = settings()["tool"]["guidance-labs"]["repository"]
    return f"https://colab.research.google.com/github/{repository}/blob/main/labs/{lab.name}/{lab.name}.ipynb"


@dataclass(frozen=True)
class Lab:
    name: str  # lab4_mnist_cfg

    @property
    def short(self) -> str:
        return self.name.split("_")[0]

    @property
    def source(self) -> Path:
        return ROOT / "solutions" / self.name / f"{self.name}.py"

    @property
    def solution(self) -> Path:
        return self.source.with_suffix(".ipynb")

    @property
    def student(self) -> Path:
        return ROOT / "labs" / self.name / f"{self.name}.ipynb"


def find_lab(name: str) -> Lab:
    """A lab by `lab4` or `lab4_mnist_cfg`.

    Raises:
        NoSuchLab: a KeyError.
    """
    short = name.split("_")[0]
    if short not in LABS or name not in (short, LABS[short]):
        raise NoSuchLab(f"there is no lab '{name}'; there are {', '.join(LABS.values())}")
    return Lab(LABS[short])


def title(lab: Lab) -> str:
    """The lab's heading, as students read it."""
    first = nbformat.read(lab.student, as_version=4).cells[0].source
    return re.search(r"^# (.+)$", first, re.M).group(1)


def labs() -> list[Lab]:
    """The labs whose source exists."""
    return [lab for lab in map(Lab, LABS.values()) if lab.source.exists()]
