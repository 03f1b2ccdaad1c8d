"""What students get, and what they must not."""

import zipfile

import pytest

from autograder import ROOT
from autograder.course.publish import find_leaks, release


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The folder of a release, as students get it."""
    target = tmp_path_factory.mktemp("release") / "student"
    assert release(target).folder == target
    return target


def test_the_release_holds_labs_utils_and_nothing_of_the_instructor(student):
    top = {path.name for path in student.iterdir()}
    wheel = next(name for name in top if name.endswith(".whl"))
    pages = {"README.md", "STUDENT.md", "LICENSE", "images"}
    assert top == pages | {"labs", "utils", ".binder", "environment.yml", "pyproject.toml", wheel}
    assert [path.name for path in (student / "images").iterdir()] == ["lab.png"]
    assert find_leaks(student) == []
    assert list(student.glob("labs/*/*.py")) == []


def test_the_wheel_contains_only_utils(student):
    with zipfile.ZipFile(next(student.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"utils"}
    assert "utils/checks/lab4/vector_field.py" in names
    assert [name for name in names if name.endswith(".safetensors")], "checkpoints belong to the wheel"
    for path in (ROOT / "utils" / "explorables").rglob("*"):  # styles, scripts, stored numbers and stills
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(ROOT).as_posix() in names


def test_a_leak_is_found(tmp_path):
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "lab.ipynb").write_text("### BEGIN SOLUTION")
    (tmp_path / "autograder").mkdir()
    (tmp_path / "autograder" / "x.py").write_text("")
    assert len(find_leaks(tmp_path)) == 2
