"""What exists inside the sandbox: three files of the grader, and `utils`."""

import ast

from autograder.running.bubblewrap import INSIDE, bubblewrap_command
from autograder.running.limits import Limits


def test_only_the_package_inside_is_bound(needs_bubblewrap):
    command = bubblewrap_command(Limits())
    bound = [command[i + 2] for i, word in enumerate(command) if word == "--ro-bind" and "/course" in command[i + 2]]
    assert sorted(bound) == [
        "/course/inside/__init__.py",
        "/course/inside/runner.py",
        "/course/inside/shell.py",
        "/course/inside/state.py",
        "/course/utils",
    ]


def test_the_package_inside_imports_nothing_of_the_grader():
    for path in INSIDE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not [name for name in names if name.split(".")[0] == "autograder"], path


def test_both_ways_show_the_same_modules(sandbox, unprotected):
    look = "import sys; sorted(m for m in sys.modules if m.endswith(('inside.shell', 'utils.checks')))"
    actual = []
    for box in (sandbox, unprotected):
        outcome = box.run([{"index": 0, "source": look}], {})
        actual.append(outcome.outputs[0]["outputs"][0]["data"]["text/plain"])
    assert actual == ["['inside.shell', 'utils.checks']", "['autograder.running.inside.shell', 'utils.checks']"]
