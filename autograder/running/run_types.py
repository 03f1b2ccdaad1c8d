"""The records of the running stage: `Task` (input), `Pass` (one pass over its cells), `Run` (the merged result).

Workers import this module; they need neither torch nor a verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

EvidenceFiles = tuple[bytes, bytes]  # JSON and safetensors
MAX_COPIES = 2  # of one exercise's evidence that are kept: two are as wrong as a thousand


@dataclass(frozen=True)
class Cell:
    """A code cell that grading executes."""

    index: int  # its place in the notebook
    source: str
    role: str = ""  # as `course.cells.role_of` names it
    exercise: str | None = None


@dataclass(frozen=True)
class Task:
    """One submission's code as plain data, for a worker that knows nothing of verdicts."""

    cells: Sequence[Cell]
    challenge_keys: Mapping[str, str]  # exercise -> the challenge's key, in hexadecimal
    submission_hash: str  # of the cells


@dataclass(frozen=True)
class Pass:
    """What came out of one pass over the cells. None of it is trusted."""

    outputs: Mapping[int, dict] = field(default_factory=dict)  # cell -> {"outputs", "execution_count"}
    output_bytes: Mapping[int, int] = field(default_factory=dict)  # cell -> size of its outputs as they came
    evidence: Mapping[str, tuple[EvidenceFiles, ...]] = field(default_factory=dict)
    finished: bool = False
    ended_by: str = ""  # why it did not finish, as `passes.ENDS` names it; "busy" is the machine's fault
    last_cell: int | None = None  # the cell that was running
    used_s: float = 0.0  # computing, or waiting for something of its own
    cpu_s: float = 0.0
    wall_s: float = 0.0
    memory_kb: float = 0.0


@dataclass(frozen=True)
class Run:
    """What came out of running one submission. Untrusted, and all that is stored."""

    submission_hash: str
    evidence: Mapping[str, tuple[EvidenceFiles, ...]] = field(default_factory=dict)  # by exercise
    outputs: Mapping[int, dict] = field(default_factory=dict)  # by cell
    problems: tuple[str, ...] = ()
    cpu_s: float = 0.0
    wall_s: float = 0.0
    memory_kb: float = 0.0
    protected: bool = True


def hash_of(cells: Sequence[Cell]) -> str:
    """Return a hash of the code that runs and of its places in the notebook, ignoring ids, metadata and outputs.

    Outputs are stored by place, so two notebooks with the same code and other texts in between are two runs.
    """
    digest = hashlib.sha256()
    for cell in cells:
        digest.update(f"{cell.index}:{len(cell.source)}:{cell.source}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
