"""Containers, Codespaces and Binder cannot be run here: what their files name must exist, in the tested versions."""

import json
import re
import subprocess
import tomllib

import pytest
from packaging.specifiers import SpecifierSet

from autograder import ROOT
from autograder.course import binder
from autograder.course.publish import STUDENT_DEPENDENCIES
from autograder.errors import BuildError

PAGE = (ROOT / "docs" / "machines.md").read_text(encoding="utf-8")
OPTIONS = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")


def instructions():
    """Return the Dockerfile's instructions, comments and line continuations removed."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]


def test_the_image_installs_the_tested_versions_of_files_that_exist():
    steps = instructions()
    known = {"FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "CMD"}
    assert {name for name, _ in steps} <= known
    for _, installs in (step for step in steps if "pip install" in step[1]):
        assert installs.count("pip install") == installs.count("--constraint constraints.txt")
    copied = [source for name, rest in steps if name == "COPY" for source in rest.split()[:-1]]
    assert copied and all((ROOT / source).exists() for source in copied)
    image = next(rest for name, rest in steps if name == "FROM")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert image.split(":")[1].removesuffix("-slim") in SpecifierSet(project["requires-python"])
    extras = re.findall(r"\.\[([\w,]+)\]", " ".join(rest for _, rest in steps))
    assert extras and set(extras[0].split(",")) <= project["optional-dependencies"].keys()


def test_no_student_data_or_secret_gets_into_the_image():
    ignored = (ROOT / ".dockerignore").read_text().split()
    for name in (
        ".secret",
        "submitted",
        "autograded",
        "feedback",
        "gradebook.db",
        "store",
        "exports",
        "report",
        "archive",
    ):
        assert name in ignored


def test_the_container_may_make_a_sandbox():
    options = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())["runArgs"]
    assert set(OPTIONS) <= set(options)
    for option in OPTIONS:
        assert option in PAGE and option in (ROOT / "Dockerfile").read_text()


def test_the_make_targets_exist_and_the_small_environment_comes_from_the_constraints():
    command = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())["postCreateCommand"]
    targets = re.findall(r"make ([a-z-]+)", command + PAGE)
    makefile = (ROOT / "Makefile").read_text()
    assert targets and all(re.search(rf"^{target}:", makefile, re.M) for target in targets)
    said = subprocess.run(
        ["make", "--dry-run", "venv", "TORCH=cpu", "VENV=build/none"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert "--constraint constraints.txt --index-url https://download.pytorch.org/whl/cpu torch torchvision" in said


def test_binder_gets_every_package_of_the_labs_in_the_tested_version(tmp_path):
    binder.write_binder(tmp_path, ["jupyterlab", *STUDENT_DEPENDENCIES])
    lines = (tmp_path / ".binder" / "requirements.txt").read_text().splitlines()
    assert lines[0] == f"--extra-index-url {binder.CPU_WHEELS}"
    assert len(lines) == len(STUDENT_DEPENDENCIES) + 2
    tested = (ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    assert all(line.lower().replace("_", "-") in tested for line in lines[1:])


def test_a_package_without_a_tested_version_is_named(tmp_path):
    with pytest.raises(BuildError, match="no version of no-such-package; `make constraints` writes it"):
        binder.write_binder(tmp_path, ["torch", "no-such-package"])
