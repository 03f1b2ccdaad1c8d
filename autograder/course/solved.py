"""The solved lab as a namespace: the instructor source of a lab, executed in this process."""

from __future__ import annotations

import contextlib
import hashlib
import io
import linecache
import sys
from collections.abc import Iterator

from autograder.course.cells import HAND_IN_TAGS, named_exercise_of, role_of
from autograder.course.labs import Lab
from autograder.course.source import read_source
from autograder.errors import SourceError
from utils.checks.exercise import find

GRADED = ("setup", "definitions", "answer")
NOT_EXECUTED = ("check", "test")  # also with all cells: they print what the grader thinks of the answers


class SolvedLab:
    """The names of a lab in which every answer is the model answer.

    Args:
        lab: the lab.
        all_cells: execute illustrations and all other cells, too; without it only set-up, definitions and answers.
        quiet: drop what the cells print.

    A model answer that fails is left out, unless all cells are executed: the kill matrix reports it by name.

    Raises:
        SourceError: another cell fails.

    Attributes:
        lab: the lab.
        answers: exercise -> the source of its model answer.
        namespace: the names after the cells were executed. Copy it before you change it.
    """

    def __init__(self, lab: Lab, all_cells: bool = False, quiet: bool = True):
        self.lab = lab
        self.answers = answers_of(lab)
        self.namespace: dict[str, object] = {"__name__": "__main__"}
        with keep_import_path(), contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext():
            for role, source in code_cells(lab, all_cells):
                self.execute(role, source, all_cells)
                if all_cells and "matplotlib.pyplot" in sys.modules:
                    sys.modules["matplotlib.pyplot"].close("all")

    def execute(self, role: str, source: str, all_cells: bool) -> None:
        """Execute one cell, and name the cell if it fails."""
        try:
            execute_source(source, self.namespace)
        except Exception as error:
            if role == "answer" and not all_cells:
                return
            last, what = source.strip().splitlines()[-1], f"{type(error).__name__}: {error}"
            name = self.lab.source.name
            raise SourceError(f"{name}: the cell that ends with `{last}` does not run: {what}") from error

    def with_answer(self, exercise: str, source: str, setup: str = "") -> dict[str, object]:
        """Return the namespace with another answer to one exercise.

        Args:
            exercise: such as "lab4.cfg_train_loss".
            source: of the answer's cell.
            setup: code of another cell, executed before the answer.
        """
        names = dict(self.namespace)
        for graded in find(exercise).names:
            names.pop(graded, None)  # an answer that forgets to define something must not inherit it
        with contextlib.redirect_stdout(io.StringIO()):
            if setup:
                execute_source(setup, names)
            execute_source(source, names)
        return names


@contextlib.contextmanager
def keep_import_path() -> Iterator[None]:
    """Restore `sys.path`, which a set-up cell changes, because this process imports `utils` from its own path."""
    before = [*sys.path]
    try:
        yield
    finally:
        sys.path[:] = before


def answers_of(lab: Lab) -> dict[str, str]:
    """Return the source of each exercise's model answer."""
    answers: dict[str, str] = {}
    for cell in read_source(lab).cells:
        if role_of(cell) == "answer":
            name = named_exercise_of(cell)
            answers[name] = answers.get(name, "") + cell.source + "\n"
    return answers


def code_cells(lab: Lab, all_cells: bool) -> Iterator[tuple[str, str]]:
    """Yield role and source of the cells that are executed, in the order of the notebook."""
    for cell in read_source(lab).cells:
        if cell.cell_type != "code" or HAND_IN_TAGS[0] in cell.metadata.get("tags", []):
            continue
        if role_of(cell) in GRADED or (all_cells and role_of(cell) not in NOT_EXECUTED):
            yield role_of(cell), cell.source


def execute_source(source: str, namespace: dict[str, object]) -> None:
    """Execute the source of a cell as a notebook would.

    The lines are kept, so that a traceback quotes them and `inspect.getsource` works. Nothing of this module's own
    `from __future__` is inherited: an annotation whose name is not defined fails here as it does in a notebook.
    """
    name = f"<ipython-input-{hashlib.sha256(source.encode()).hexdigest()[:12]}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec", dont_inherit=True), namespace)
