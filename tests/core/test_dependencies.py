"""One list of dependencies, said in two files."""

import tomllib

import yaml


def test_environment_says_the_same_as_pyproject(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((root / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert sorted(pip) == sorted(project["dependencies"])
    assert f"python{project['requires-python']}" in environment["dependencies"]
