"""Running one submission: passes over its cells until everything that can be graded has left its evidence.

Workers import this and the sandbox, and neither torch nor a verdict.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from autograder.running.limits import Pass
from autograder.running.sandbox import Sandbox

ESSENTIAL = ("setup", "definitions", "answer", "test")
MAX_PASSES = 12  # more than a lab has exercises: each may hang once
MAX_OUTPUTS = 48 * 2**20  # bytes of outputs that are stored of a submission
LEFT_OUT = {"output_type": "stream", "name": "stdout", "text": "[outputs were left out: this notebook has too many]\n"}


@dataclass(frozen=True)
class Task:
    """One submission's code as plain data."""

    cells: list[dict]  # {"index", "source", "role", "exercise"}
    keys: dict[str, str]  # exercise -> the challenge's key, hexadecimal
    digest: str  # of the cells


@dataclass
class Run:
    """What running one submission gave: evidence by exercise, outputs by cell. Untrusted, and all that is stored."""

    submission_hash: str
    evidence: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    outputs: dict[int, dict] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0
    memory_kb: float = 0.0
    protected: bool = True
    output_bytes: int = 0  # while it runs


def submission_hash(cells: list[dict]) -> str:
    """Of the code that will run and its places in the notebook; ids, metadata and outputs do not count.

    Outputs are stored by place: two notebooks with the same code and other texts between are two runs.
    """
    digest = hashlib.sha256()
    for cell in cells:
        digest.update(f"{cell['index']}:{len(cell['source'])}:{cell['source']}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def execute_task(task: Task, sandbox: Sandbox) -> Run:
    """When a cell hangs or kills the process, another pass runs the rest without it."""
    run = Run(task.digest, protected=sandbox.protected)
    left = task.cells
    for deaths in range(MAX_PASSES):
        if run.wall_s > sandbox.limits.submission_s:
            run.problems.append("The time for this notebook is used up; what was not reached was not graded.")
            break
        outcome = sandbox.run([{"index": c["index"], "source": c["source"]} for c in left], task.keys)
        collect(run, outcome)
        if outcome.finished or outcome.last_cell is None:
            break
        dead = next((c for c in task.cells if c["index"] == outcome.last_cell), None)
        run.problems.append(describe_end(outcome, dead))
        # The rest is run again without that cell. A notebook that is too slow as a whole, or that dies again and again,
        # is run without the cells between too: set-up, definitions, answers and tests.
        bare = deaths >= 2 or outcome.wall_s >= sandbox.limits.notebook_s
        left = [
            c
            for c in left
            if c["index"] != outcome.last_cell
            and (c["role"] in ESSENTIAL or not bare)
            and not (c["role"] == "test" and c["exercise"] in run.evidence)
        ]
        if not any(c["role"] == "test" for c in left):
            break
    return run


def collect(run: Run, outcome: Pass) -> None:
    for name, files in outcome.evidence.items():
        run.evidence.setdefault(name, files)
    for index, output in outcome.outputs.items():
        if index not in run.outputs:
            run.output_bytes += outcome.output_bytes[index]
            kept = run.output_bytes <= MAX_OUTPUTS
            run.outputs[index] = output if kept else {"outputs": [LEFT_OUT], "execution_count": None}
    run.cpu_s += outcome.cpu_s
    run.wall_s += outcome.wall_s
    run.memory_kb = max(run.memory_kb, outcome.memory_kb)


def describe_end(outcome: Pass, cell: dict | None) -> str:
    what = {
        "timeout": "ran past its time limit",
        "death": "ended the process",
        "flood": "wrote more than the grader accepts",
        "memory": "used more memory than the grader gives",
        "processes": "started more processes or threads than the grader allows",
    }.get(outcome.ended_by, "did not finish")
    where = f"The cell of {cell['exercise']}" if cell and cell["exercise"] else f"Cell {outcome.last_cell + 1}"
    return f"{where} {what}; it was left out, and the rest was graded without it."
