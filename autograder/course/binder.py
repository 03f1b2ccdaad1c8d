"""The files by which Binder opens the students' repository: the tested versions, with PyTorch for CPUs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from autograder import ROOT
from autograder.errors import BuildError

CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
POST_BUILD = """\
#!/usr/bin/env bash
# Binder runs this after it has installed requirements.txt.
set -euo pipefail
pip install --no-cache-dir --no-deps .
"""


def write_binder(folder: Path, packages: Iterable[str]) -> None:
    """Write `.binder` into the students' repository.

    Args:
        folder: The repository.
        packages: The names of the packages that the labs need.

    Raises:
        BuildError: constraints.txt has no version of a package.
    """
    versions = tested_versions()
    missing = [name for name in packages if normal(name) not in versions]
    if missing:
        raise BuildError(f"constraints.txt has no version of {', '.join(missing)}; `make constraints` writes it")
    place = folder / ".binder"
    place.mkdir()
    pins = "".join(f"{name}=={versions[normal(name)]}\n" for name in packages)
    (place / "requirements.txt").write_text(f"--extra-index-url {CPU_WHEELS}\n{pins}")
    (place / "runtime.txt").write_text("python-3.11\n")
    (place / "postBuild").write_text(POST_BUILD)
    (place / "postBuild").chmod(0o755)


def tested_versions() -> dict[str, str]:
    """Return the versions of constraints.txt, by normalized name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {normal(name): version for name, _, version in (line.partition("==") for line in lines) if version}


def normal(name: str) -> str:
    """Return a package's name as indexes compare it: lower case, with single hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()
