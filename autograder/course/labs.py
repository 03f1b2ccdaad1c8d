"""The labs of the course: their names, their files, and where their release is published."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder import ROOT
from autograder.errors import NoSuchLab
from utils.labs import LABS
from utils.version import VERSION


def settings() -> dict:
    """Return the content of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def address() -> str:
    """Return the address where the students' release is published."""
    return f"https://github.com/{settings()['tool']['guidance-labs']['repository']}"


def wheel_name(version: str) -> str:
    """Return the file name of the students' wheel."""
    return f"guidance_labs_utils-{version}-py3-none-any.whl"


def wheel_address() -> str:
    """Return the address of the wheel of the present version."""
    return f"{address()}/releases/download/v{VERSION}/{wheel_name(VERSION)}"


def colab_address(lab: Lab) -> str:
    """Return the address that opens a published lab in Colab."""
    repository = settings()["tool"]["guidance-labs"]["repository"]
    return f"https://colab.research.google.com/github/{repository}/blob/main/labs/{lab.name}/{lab.name}.ipynb"


@dataclass(frozen=True)
class Lab:
    """A lab, and where its files are."""

    name: str  # lab4_mnist_cfg

    @property
    def short(self) -> str:
        """The short name, such as "lab4"."""
        return self.name.split("_")[0]

    @property
    def source(self) -> Path:
        """The percent source, which people write."""
        return ROOT / "solutions" / self.name / f"{self.name}.py"

    @property
    def solution(self) -> Path:
        """The instructor notebook, generated from the source."""
        return self.source.with_suffix(".ipynb")

    @property
    def student(self) -> Path:
        """The student notebook, generated from the source."""
        return ROOT / "labs" / self.name / f"{self.name}.ipynb"


def find_lab(name: str) -> Lab:
    """Return the lab of this name.

    Args:
        name: `lab4` or `lab4_mnist_cfg`.

    Raises:
        NoSuchLab: there is none; the message lists the labs.
    """
    short = name.split("_")[0]
    if short not in LABS or name not in (short, LABS[short]):
        raise NoSuchLab(f"there is no lab '{name}'; there are {', '.join(LABS.values())}")
    return Lab(LABS[short])


def title(lab: Lab) -> str:
    """Return the lab's heading, as students read it."""
    first = nbformat.read(lab.student, as_version=4).cells[0].source
    heading = re.search(r"^# (.+)$", first, re.M)
    if heading is None:
        raise ValueError(f"the first cell of {lab.student} has no heading")
    return heading.group(1)


def labs() -> list[Lab]:
    """Return the labs whose source exists, in order."""
    return [lab for lab in map(Lab, LABS.values()) if lab.source.exists()]
