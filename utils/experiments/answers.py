"""The student's graded functions, from the running notebook or from a notebook's file."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from utils.atoms import NoiseSchedule

SKIPPED_ROLES = ("illustration", "check")


class MissingAnswer(NameError):
    """Raised if an experiment needs a function that the notebook does not define."""


@dataclass(frozen=True)
class Answers:
    """What lab 2's experiments use of a student's answers. A missing answer is None until it is needed.

    Args:
        ExponentialNoise: the noise schedule.
        ScoreTrainer: the trainer of the score network.
        analytic_score: the exact score.
        predictor_step: a step to a lower noise level.
        corrector_step: a Langevin step.
        fokker_planck_residual: the residual of the Fokker-Planck equation.
        consistency_target: what the score should be, according to where a walk ended.
    """

    ExponentialNoise: type | None = None
    ScoreTrainer: type | None = None
    analytic_score: Callable | None = None
    predictor_step: Callable | None = None
    corrector_step: Callable | None = None
    fokker_planck_residual: Callable | None = None
    consistency_target: Callable | None = None

    @classmethod
    def of(cls, names: Mapping[str, object]) -> Answers:
        """Take the answers from a namespace, as in `Answers.of(globals())`.

        Args:
            names: objects by name.

        Returns:
            The answers.

        Example:
            >>> Answers.of({"analytic_score": print}).analytic_score is print
            True
        """
        chosen: dict[str, Any] = {field.name: names.get(field.name) for field in fields(cls)}
        return cls(**chosen)

    @classmethod
    def from_notebook(cls, path: str | Path) -> Answers:
        """Run a notebook and take the answers from it. Illustrations and checks are skipped.

        Args:
            path: the notebook's file.

        Returns:
            The answers.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not a notebook.
        """
        return cls.of(run_cells(Path(path)))

    def need(self, name: str) -> Callable:
        """Return one answer.

        Args:
            name: the name of the answer.

        Returns:
            The student's function or class.

        Raises:
            MissingAnswer: the notebook does not define it.
        """
        answer = getattr(self, name)
        if answer is None:
            raise MissingAnswer(f"this needs your `{name}`, and the notebook does not define it")
        return answer

    def schedule(self, sigma_min: float, sigma_max: float) -> NoiseSchedule:
        """Make the student's noise schedule.

        Args:
            sigma_min: the standard deviation at t = 0.
            sigma_max: the standard deviation at t = 1.

        Returns:
            The schedule.

        Raises:
            MissingAnswer: the notebook does not define `ExponentialNoise`.
        """
        return self.need("ExponentialNoise")(sigma_min, sigma_max)

    def fingerprint(self, names: Iterable[str]) -> str:
        """Return a hash that changes when the code of one of these answers changes.

        Args:
            names: names of answers.

        Returns:
            16 hexadecimal digits.
        """
        digest = hashlib.sha256()
        for name in names:
            digest.update(repr((name, code_of(getattr(self, name)))).encode())
        return digest.hexdigest()[:16]


def code_of(thing: object) -> object:
    """Return the bytecode of a function or a class, without line numbers and file names.

    Args:
        thing: a function, a class, or anything else.

    Returns:
        Nested lists and tuples; None if the object has no bytecode.
    """
    if isinstance(thing, type):
        return [(name, code_of(member)) for name, member in sorted(vars(thing).items()) if callable(member)]
    thing = getattr(thing, "__wrapped__", thing)
    return code_of_code(thing.__code__) if hasattr(thing, "__code__") else None


def code_of_code(code: types.CodeType) -> object:
    """Return a code object's instructions, constants and names.

    Args:
        code: the code object.

    Returns:
        Nested tuples.
    """
    constants = [code_of_code(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return code.co_code.hex(), constants, code.co_names


def run_cells(path: Path) -> dict[str, object]:
    """Run the cells of a notebook. A cell that fails is named in a printed line, and the rest still runs.

    Args:
        path: the notebook's file.

    Returns:
        The namespace after the last cell.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a notebook.
    """
    import matplotlib
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a notebook: {error}") from None
    namespace: dict[str, object] = {"__name__": "__main__"}
    before, backend = os.environ.get("LAB_BUDGET"), matplotlib.get_backend()
    os.environ["LAB_BUDGET"] = "grade"  # plain cells shall not work long
    matplotlib.use("Agg")
    try:
        for number, cell in enumerate(cells):
            data = cell.get("metadata", {})
            is_test = data.get("nbgrader", {}).get("grade", False)
            if cell["cell_type"] != "code" or is_test or data.get("guidance_labs", {}).get("role") in SKIPPED_ROLES:
                continue
            source = TransformerManager().transform_cell("".join(cell["source"]))
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(source, f"<cell {number}>", "exec"), namespace)
            except Exception as error:
                print(f"{path.name}, cell {number}: {type(error).__name__}: {error}")
    finally:
        matplotlib.use(backend)
        os.environ.pop("LAB_BUDGET") if before is None else os.environ.update(LAB_BUDGET=before)
        torch.set_grad_enabled(True)
    return namespace
