"""`make release`: what students get. `dist/student`, and a wheel that contains only `utils`.

Everything that is not listed here stays with the instructor.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from autograder import ROOT
from autograder.course.binder import write_binder
from autograder.course.build import FORBIDDEN
from autograder.course.labs import address, colab_address, labs, title, wheel_name
from autograder.course.releases import archive_release
from autograder.errors import BuildError
from utils.version import VERSION

STUDENT = ROOT / "dist" / "student"
PICTURE = re.compile(r"!\[[^\[\]]*\]\((images/[\w.-]+)\)")
SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", ".ipynb_checkpoints")
# What the notebooks import. No nbgrader: students do not grade. Ranges are wide, so that Colab keeps its own torch.
STUDENT_DEPENDENCIES = {
    "torch": ">=2.4",
    "torchvision": ">=0.19",
    "numpy": "",
    "scipy": "",
    "matplotlib": "",
    "seaborn": "",
    "jaxtyping": "",
    "typeguard": ">=2.13,<3",
    "safetensors": "",
    "tqdm": "",
    "omegaconf": "",
    "tensorboard": "",
    "imageio": "",
    "imageio-ffmpeg": "",
    "nbformat": "",
}
PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "guidance-labs-utils"
version = "{version}"
description = "What the notebooks of Guidance Labs import"
requires-python = ">=3.11"
dependencies = [{dependencies}]

[tool.setuptools]
packages = {{ find = {{ include = ["utils*"] }} }}

[tool.setuptools.package-data]
"*" = ["*.safetensors", "*.json", "*.yaml", "*.md", "*.typ", "py.typed"]
"utils.explorables" = ["*.css", "js/*", "stored/*", "stills/*"]
"""
README = """\
# Guidance Labs

Notebooks on guided generation, from a coin-flip lattice to digits drawn on request.

| lab | |
|---|---|
{rows}

**In Colab**: the first cell of a notebook installs what is missing.

**On your machine** (Python 3.11 or newer):

    python -m venv .venv
    .venv/bin/pip install {wheel} jupyterlab
    .venv/bin/jupyter lab labs

A GPU is not needed: every lab says what it does without one. To submit, run the last cell of a lab, and upload the zip
that it writes.

[How the labs work, what to do when Colab disconnects, what an error means](STUDENT.md)
"""


@dataclass(frozen=True)
class Release:
    """What students get, in a folder, and the address where it is published."""

    folder: Path
    address: str


def release(target: Path = STUDENT) -> Release:
    """Build `dist/student` (or `target`) and the wheel in it.

    Raises:
        BuildError: the release would contain a solution or a hidden test, or the wheel cannot be built.
    """
    version = VERSION
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for lab in labs():
        (target / "labs" / lab.name).mkdir(parents=True)
        shutil.copy(lab.student, target / "labs" / lab.name)
    shutil.copytree(ROOT / "utils", target / "utils", ignore=SKIPPED)
    dependencies = [f"{name}{pins}" for name, pins in STUDENT_DEPENDENCIES.items()]
    (target / "pyproject.toml").write_text(
        PYPROJECT.format(version=version, dependencies=", ".join(f'"{d}"' for d in dependencies))
    )
    pip = "".join(f"      - {d}\n" for d in ["jupyterlab>=4.2,<5", *dependencies])
    (target / "environment.yml").write_text(
        f"name: guidance-labs\nchannels:\n  - conda-forge\ndependencies:\n  - python>=3.11\n  - pip\n  - pip:\n{pip}"
    )
    write_binder(target, ["jupyterlab", *STUDENT_DEPENDENCIES])
    rows = "\n".join(
        f"| [{title(lab)}](labs/{lab.name}/{lab.name}.ipynb) | [Open in Colab]({colab_address(lab)}) |"
        for lab in labs()
    )
    shutil.copy(ROOT / "LICENSE", target)
    shutil.copy(ROOT / "docs" / "student.md", target / "STUDENT.md")
    for picture in PICTURE.findall((target / "STUDENT.md").read_text(encoding="utf-8")):
        (target / picture).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "docs" / picture, target / picture)
    (target / "README.md").write_text(README.format(rows=rows, wheel=wheel_name(version)))
    if leaks := find_leaks(target):
        raise BuildError("the release would leak:\n" + "\n".join(leaks))
    build_wheel(version, target)
    for lab in labs():
        archive_release(lab)
    return Release(target, address())


def build_wheel(version: str, folder: Path) -> None:
    """The wheel is built from a copy, so that nothing but `utils` can be in it."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, "-w", str(folder), str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(f"the wheel could not be built:\n{done.stderr[-2000:]}")
    for leftover in [folder / "build", *folder.glob("*.egg-info")]:
        shutil.rmtree(leftover, ignore_errors=True)
    assert (folder / wheel_name(version)).exists()


def find_leaks(folder: Path) -> list[str]:
    """Files that hold a solution's or a hidden test's mark, or that belong to the instructor."""
    leaks = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        if {"autograder", "solutions", "tests"} & set(path.relative_to(folder).parts):
            leaks.append(f"{path}: belongs to the instructor")
        if path.suffix in (".ipynb", ".md", ".yml", ".toml", ".txt"):
            text = path.read_text(encoding="utf-8")
            leaks += [f"{path}: contains '{word}'" for word in FORBIDDEN if word in text]
        if path.suffix == ".py":
            text = path.read_text(encoding="utf-8")
            leaks += [f"{path}: contains '{word}'" for word in FORBIDDEN[:4] if word in text]
    return leaks
