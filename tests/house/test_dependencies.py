"""One list of dependencies, repeated for conda, and the versions of it that were tested."""

import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import utils.version


@pytest.fixture(scope="module")
def project(root):
    """The table `project` of pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def test_environment_lists_the_same_as_pyproject(root, project):
    environment = yaml.safe_load((root / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert sorted(pip) == sorted(project["dependencies"])
    assert f"python{project['requires-python']}" in environment["dependencies"]


def test_every_dependency_has_a_tested_version_within_its_range(root, project):
    lines = (root / "constraints.txt").read_text().splitlines()
    pins = {}
    for requirement in (Requirement(line) for line in lines if line and not line.startswith("#")):
        (pin,) = requirement.specifier
        assert pin.operator == "==", requirement
        pins[canonicalize_name(requirement.name)] = pin.version
    requirements = [
        *project["dependencies"],
        *(d for extra in project["optional-dependencies"].values() for d in extra),
    ]
    for requirement in map(Requirement, requirements):
        assert pins.get(canonicalize_name(requirement.name)) in requirement.specifier, requirement


def test_the_version_is_named_in_one_place(root, project):
    assert project["dynamic"] == ["version"] and "version" not in project
    changelog = (root / "CHANGELOG.md").read_text()
    assert f"## {utils.version.VERSION}" in changelog


def test_both_packages_say_that_they_are_typed(root):
    assert (root / "utils" / "py.typed").exists() and (root / "autograder" / "py.typed").exists()
