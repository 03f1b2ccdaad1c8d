"""The generated notebooks: fresh, clean, and they run."""

import os
import re
import subprocess
import sys

import nbformat
import pytest

from autograder import ROOT
from autograder.course.build import FORBIDDEN, build_lab
from autograder.course.cells import HAND_IN_TAGS, role_of
from autograder.course.source import read_source
from tests.syllabus import FINISHED, minimum
from utils.checks.exercise import load
from utils.predictions import predict

# What a cell says where an answer that it needs is missing or fails: `utils.fallback` catches the error.
EXCUSES = (
    "These are stored results, not yours",
    "This picture needs",
    "This cell needs a right answer",
    "to see this.",
)

BREAK = """\
import utils.plotting, utils.training

def broken(*args, **kwargs):
    raise RuntimeError("broken on purpose")

"""


def is_hand_in(cell):
    return HAND_IN_TAGS[0] in cell.metadata.get("tags", [])


def test_generated_notebooks_are_fresh(lab):
    assert build_lab(lab, check=True) == [], "run `make labs` and commit what it writes"


def test_each_finished_lab_has_its_exercises_and_points():
    exercises = {short: load(short) for short in FINISHED}
    assert {short: len(entries) for short, entries in exercises.items()} == {
        short: lab.exercises for short, lab in FINISHED.items()
    }
    assert {short: sum(entry.points for entry in entries) for short, entries in exercises.items()} == {
        short: lab.points for short, lab in FINISHED.items()
    }


def test_student_notebook_has_no_solution_and_no_output(lab):
    text = lab.student.read_text(encoding="utf-8")
    assert not [word for word in FORBIDDEN if word in text]
    notebook = nbformat.reads(text, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    answers = [cell for cell in notebook.cells if role_of(cell) == "answer"]
    assert answers and all("NotImplementedError" in cell.source for cell in answers)


def test_instructor_notebook_was_executed_without_errors(lab):
    notebook = nbformat.read(lab.solution, as_version=4)
    code = [
        cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip() and not is_hand_in(cell)
    ]
    if not minimum(lab).executed and not any(cell.execution_count for cell in code):
        pytest.skip("a new lab, not executed yet: `make execute`")
    assert all(cell.execution_count for cell in code), "run `make execute`"
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert not [excuse for excuse in EXCUSES if excuse in said], "a cell failed, and `utils.fallback` hid it"
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert figures or not minimum(lab).figures, "not a single figure"


def test_the_questions_in_the_notebook_are_those_of_the_table(lab):
    """A question that was reworded leaves the old words in the outputs of a notebook that was executed before."""
    notebook = nbformat.read(lab.solution, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.startswith("predict(")]
    if not any(cell.execution_count for cell in cells):
        pytest.skip("a new lab, not executed yet: `make execute`")
    for cell in cells:
        [name] = re.findall(r'^predict\("([^"]+)"', cell.source)
        assert cell.outputs[0].data["text/plain"] == repr(predict(name, choice="")), "run `make execute`"


def test_sources_are_equal_to_the_committed_notebook(lab):
    committed = nbformat.read(lab.solution, as_version=4)
    assert [cell.source for cell in committed.cells] == [cell.source for cell in read_source(lab).cells]


def under_nbval(notebook, import_path=()):
    """Run a notebook under nbval at the `ci` budget. No stored result may stand in for what fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env"]
    environment = os.environ | {
        "LAB_BUDGET": "ci",
        "LAB_STRICT": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(map(str, (*import_path, ROOT))),
    }
    return subprocess.run(
        [*command, str(notebook)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800
    )


def test_instructor_notebook_runs_under_nbval(lab):
    """Lax, at the `ci` budget; each test cell also compares its points."""
    done = under_nbval(lab.solution)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["utils.plotting.show_table", "utils.training.Trainer.train"])
def test_nbval_is_red_where_a_figure_or_a_training_fails(broken, lab4, tmp_path):
    """Each is made to raise by a file that Python reads when the kernel starts."""
    (tmp_path / "sitecustomize.py").write_text(BREAK + f"{broken} = broken\n")
    done = under_nbval(lab4.solution, [tmp_path])
    assert done.returncode == 1 and "broken on purpose" in done.stdout, done.stdout[-3000:]
