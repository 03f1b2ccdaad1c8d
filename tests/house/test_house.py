"""The house rules that machines can check: ruff, mypy, and one list of steps for every CI."""

from __future__ import annotations

import os

import pytest
import yaml

from autograder import ROOT


def test_github_actions_do_what_ci_does():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = [step["run"] for step in workflow["jobs"]["tests"]["steps"] if "run" in step]
    assert steps[-1] == "bash .ci/run"
    assert not any("pip install" in step or "apt" in step.split() for step in steps), "only .ci/run installs"


def test_hooks_are_the_commands_that_make_has():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(BIN)/", "")
    for hook in hooks:
        program, *words = hook["entry"].removeprefix(".venv/bin/").split()
        assert f"{program} {words[0]}" in makefile if words else f"\t{program}\n" in makefile, hook["id"]


SEEN: list[int] = []  # by this process


@pytest.mark.parametrize("number", range(4))
def test_the_tests_of_a_file_share_a_process(number):
    """`make test` shares the suite by file: fixtures that take minutes are made once, and files keep their order."""
    SEEN.append(number)
    assert "PYTEST_XDIST_WORKER" not in os.environ or list(range(number + 1)) == SEEN
