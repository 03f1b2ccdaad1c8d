"""What exists inside the sandbox: six files of the grader, and `utils`."""

import ast

from autograder.running.bubblewrap import INSIDE, bubblewrap_command
from autograder.running.limits import Limits


def test_only_the_package_inside_is_bound(needs_bubblewrap):
    command = bubblewrap_command(Limits())
    bound = [command[i + 2] for i, word in enumerate(command) if word == "--ro-bind" and "/course" in command[i + 2]]
    assert sorted(bound) == [
        "/course/inside/__init__.py",
        "/course/inside/colab.py",
        "/course/inside/databases.py",
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


COLAB = """
from google.colab import files, drive, userdata
import google.colab.patches
from google.colab.patches import cv2_imshow
drive.mount('/content/drive', force_remount=True)
for name in files.upload().keys(): print(name)
with google.colab.output.use_tags('x'): files.download('model.pt')
print('done', len(files.upload()))
"""


def test_what_colab_has_is_accepted_and_does_nothing(sandbox, unprotected):
    for box in (sandbox, unprotected):
        outcome = box.run([{"index": 0, "source": COLAB}], {})
        assert outcome.outputs[0]["outputs"][0]["text"] == "done 0\n", outcome.outputs


def test_a_gpu_that_is_not_there_is_forgotten_after_the_cell(sandbox):
    cells = ["import torch\ntorch.set_default_device('cuda')", "torch.ones(2).sum().item()"]
    outcome = sandbox.run([{"index": i, "source": source} for i, source in enumerate(cells)], {})
    assert outcome.outputs[1]["outputs"][0]["data"]["text/plain"] == "2.0"


DATABASE = """
import os, sqlite3
with sqlite3.connect("cache.db") as cache:
    cache.execute("create table results (name text, value real)")
    cache.execute("insert into results values ('a', 1.5)")
if os.fork() == 0:
    with sqlite3.connect("cache.db", timeout=30) as cache:
        cache.execute("insert into results values ('b', 2.5)")
    os._exit(0)
child = os.wait()[1]
busy = sqlite3.connect("cache.db", timeout=0)
busy.execute("begin immediate")
try:
    sqlite3.connect("cache.db", timeout=0).execute("begin immediate")
except sqlite3.OperationalError as error:
    second = str(error)
busy.rollback()
values = sqlite3.connect("cache.db").execute("select value from results order by name").fetchall()
print(child, second, values)
"""


def test_a_database_in_a_file_works_and_is_still_locked(sandbox, unprotected):
    """An honest notebook may keep its results in one. Locks on bytes stay denied."""
    for box in (sandbox, unprotected):
        for _ in range(2):  # nothing of it is left for the next submission
            (output,) = box.run([{"index": 0, "source": DATABASE}], {}).outputs[0]["outputs"]
            assert output.get("text") == "0 database is locked [(1.5,), (2.5,)]\n", output
    lock = "import fcntl\nwith open('x', 'w') as f: fcntl.lockf(f, fcntl.LOCK_EX)"
    (output,) = sandbox.run([{"index": 0, "source": lock}], {}).outputs[0]["outputs"]
    assert output["ename"] == "OSError" and "No locks available" in output["evalue"]
