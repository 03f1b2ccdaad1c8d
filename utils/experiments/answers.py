"""The graded functions, which come from a notebook: from the running one, or from a file."""

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

import torch

from utils.atoms import NoiseSchedule

SKIPPED_ROLES = ("illustration", "check")


class MissingAnswer(NameError):
    """An experiment needs a function that the notebook does not define."""


@dataclass(frozen=True)
class Answers:
    """What the lab's experiments need of a student. An answer that is missing is None, until it is needed."""

    ExponentialNoise: type | None = None
    ScoreTrainer: type | None = None
    analytic_score: Callable | None = None
    predictor_step: Callable | None = None
    corrector_step: Callable | None = None
    fokker_planck_residual: Callable | None = None
    consistency_target: Callable | None = None

    @classmethod
    def of(cls, names: Mapping[str, object]) -> Answers:
        """From a namespace: `Answers.of(globals())`."""
        return cls(**{field.name: names.get(field.name) for field in fields(cls)})

    @classmethod
    def from_notebook(cls, path: str | Path) -> Answers:
        """Run a notebook's set-up, definitions and answers, and every other cell that is not an illustration or a check.

        Raises:
            FileNotFoundError: no such file.
            ValueError: it is not a notebook.
        """
        return cls.of(run_cells(Path(path)))

    def need(self, name: str) -> Callable:
        """The answer of that name.

        Raises:
            MissingAnswer: there is none.
        """
        answer = getattr(self, name)
        if answer is None:
            raise MissingAnswer(f"this needs your `{name}`, and the notebook does not define it")
        return answer

    def schedule(self, sigma_min: float, sigma_max: float) -> NoiseSchedule:
        return self.need("ExponentialNoise")(sigma_min, sigma_max)

    def fingerprint(self, names: Iterable[str]) -> str:
        """Changes when the code of one of these answers changes: then a run is started anew, not resumed."""
        digest = hashlib.sha256()
        for name in names:
            digest.update(repr((name, code_of(getattr(self, name)))).encode())
        return digest.hexdigest()[:16]


def code_of(thing: object) -> object:
    """The bytecode behind a function or a class, without line numbers and file names."""
    if isinstance(thing, type):
        return [(name, code_of(member)) for name, member in sorted(vars(thing).items()) if callable(member)]
    thing = getattr(thing, "__wrapped__", thing)
    return code_of_code(thing.__code__) if hasattr(thing, "__code__") else None


def code_of_code(code: types.CodeType) -> object:
    constants = [code_of_code(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return code.co_code.hex(), constants, code.co_names


def run_cells(path: Path) -> dict[str, object]:
    """The namespace after the cells of a notebook. A cell that fails is named, and the rest still runs."""
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
