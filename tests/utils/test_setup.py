"""The first cell of a lab on three machines: a bare one, one with a checkout, one without a network."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv

import nbformat
import pytest

from autograder import ROOT
from autograder.course.labs import find_lab, wheel_address
from autograder.course.publish import release


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A Python that has torch and the other dependencies, and no `utils`: what Colab is to this course."""
    folder = tmp_path_factory.mktemp("machine")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    # A path file gives this Python our installed packages (pip too), but not their path files: so not our `utils`.
    with open(f"{site}/borrowed.pth", "w") as file:
        file.write(sysconfig.get_path("purelib") + "\n")
    assert run(python, "import utils", folder).returncode != 0, "the stand-in is not bare"
    return python


def run(python, code, cwd, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_"))}
    return subprocess.run(
        [str(python), "-c", code], cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=1800
    )


def setup_cell(lab=None):
    notebook = nbformat.read((lab or find_lab("lab4")).student, as_version=4)
    return next(c.source for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "setup")


WHERE = "\nimport utils.checks\nprint('utils from', utils.checks.__file__)\nassert callable(check_all)"
# Names that the students' own code may want, and that a forgotten line of theirs must not find.
WHERE += "\nleft = {'here', 'course', 'folder', 'wheel', 'install', 'done', 'foreign'} & set(globals())"
WHERE += "\nassert not left, sorted(left)"


def test_every_set_up_cell_names_the_address_that_is_set_once(lab):
    assert f'wheel = "{wheel_address()}"' in setup_cell(lab)


@pytest.mark.slow
def test_on_a_bare_machine_it_installs_the_wheel(machine, tmp_path):
    assert release(tmp_path / "release")
    wheel = next((tmp_path / "release").glob("*.whl"))
    # Another package called `utils`, which some machines have, must neither satisfy the set-up cell nor win over ours.
    (tmp_path / "foreign" / "utils").mkdir(parents=True)
    (tmp_path / "foreign" / "utils" / "__init__.py").write_text("")
    code = "import sys; sys.path.append('foreign')\n" + setup_cell().replace(wheel_address(), str(wheel)) + WHERE
    # No index: everything but our own wheel must be there already, and stay as it is.
    done = run(machine, code, tmp_path, PIP_NO_INDEX="1")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert str(machine.parent.parent) in done.stdout.split("utils from")[1]
        assert "· device cpu · budget" in done.stdout
    finally:
        subprocess.run([machine, "-m", "pip", "uninstall", "-q", "-y", "guidance-labs-utils"], check=True)


def test_a_checkout_around_the_notebook_is_used_as_it_is(machine, tmp_path):
    shutil.copytree(ROOT / "utils", tmp_path / "course" / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "course" / "labs" / "some_lab"
    folder.mkdir(parents=True)
    done = run(machine, setup_cell() + WHERE, folder, PIP_NO_INDEX="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(tmp_path / "course" / "utils") in done.stdout.split("utils from")[1]


@pytest.mark.parametrize("name", ["utils.py", "utils/__init__.py"])
def test_a_utils_beside_the_notebook_is_named_on_a_bare_machine(machine, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("def helper(): ...\n")
    done = run(machine, setup_cell(), tmp_path, PIP_NO_INDEX="1")
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    short = name.split("/")[0]
    assert last.startswith("RuntimeError: ") and str(tmp_path / short) in last
    assert f"Rename your {short}, restart the kernel" in last
    assert "not on this machine" not in done.stderr and "During handling" not in done.stderr


@pytest.mark.parametrize("imported_before", [False, True])
def test_a_utils_py_beside_the_notebook_does_not_hide_a_checkout(machine, tmp_path, imported_before):
    shutil.copytree(ROOT / "utils", tmp_path / "course" / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "course" / "labs" / "some_lab"
    folder.mkdir(parents=True)
    (folder / "utils.py").write_text("def helper(): ...\n")
    before = f"import sys; sys.path.append({str(tmp_path / 'course')!r})\n"  # there already, but behind the notebook's
    before += "import utils; utils.helper()\n" if imported_before else ""
    done = run(machine, before + setup_cell() + WHERE, folder, PIP_NO_INDEX="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(tmp_path / "course" / "utils") in done.stdout.split("utils from")[1]


def test_with_neither_utils_nor_network_it_says_so_in_one_sentence(machine, tmp_path):
    unreachable = "https://127.0.0.1:9/" + wheel_address().rsplit("/", 1)[1]
    done = run(machine, setup_cell().replace(wheel_address(), unreachable), tmp_path)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: The course's files are not on this machine") and unreachable in last
    assert "Connect to the network" in last
    assert "CalledProcessError" not in done.stderr and "During handling" not in done.stderr


def test_the_badge_leads_to_the_same_repository(lab):
    first = nbformat.read(lab.student, as_version=4).cells[0].source
    repository = wheel_address().split("github.com/")[1].split("/releases")[0]
    assert f"https://colab.research.google.com/github/{repository}/blob/main/labs/{lab.name}/{lab.name}.ipynb" in first


def test_python_of_the_tests_is_not_the_bare_machine(machine):
    assert str(machine) != sys.executable
