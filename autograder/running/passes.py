"""Run one submission: pass over its cells until all evidence that can be had has arrived.

Workers import this and the sandbox, and neither torch nor a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograder.running.run import Cell, EvidenceFiles, Pass, Run, Task
from autograder.running.sandbox import Sandbox

ESSENTIAL = ("setup", "definitions", "answer", "test")
MAX_PASSES = 12  # more than a lab has exercises: each may hang once
MAX_OUTPUTS = 48 * 2**20  # bytes of outputs that are stored of a submission
LEFT_OUT = {"output_type": "stream", "name": "stdout", "text": "[outputs were left out: this notebook has too many]\n"}
OUT_OF_TIME = "The time for this notebook is used up; what was not reached was not graded."
ENDS = {
    "timeout": "ran past its time limit",
    "death": "ended the process",
    "flood": "wrote more than the grader accepts",
    "memory": "used more memory than the grader gives",
    "processes": "started more processes or threads than the grader allows",
}


class RunCollector:
    """Collects passes, and turns into a `Run` at the end. Of each cell and exercise the first result counts."""

    def __init__(self) -> None:
        self.evidence: dict[str, tuple[EvidenceFiles, ...]] = {}
        self.outputs: dict[int, dict] = {}
        self.problems: list[str] = []
        self.cpu_s = self.wall_s = self.memory_kb = 0.0
        self.output_bytes = 0

    def add(self, outcome: Pass) -> None:
        """Add what one pass brought."""
        for name, files in outcome.evidence.items():
            self.evidence.setdefault(name, files)
        for index, output in outcome.outputs.items():
            if index not in self.outputs:
                self.output_bytes += outcome.output_bytes[index]
                small_enough = self.output_bytes <= MAX_OUTPUTS
                self.outputs[index] = output if small_enough else {"outputs": [LEFT_OUT], "execution_count": None}
        self.cpu_s += outcome.cpu_s
        self.wall_s += outcome.wall_s
        self.memory_kb = max(self.memory_kb, outcome.memory_kb)

    def freeze(self, digest: str, protected: bool) -> Run:
        """Return the run of the submission with this hash."""
        return Run(
            submission_hash=digest,
            evidence=self.evidence,
            outputs=self.outputs,
            problems=tuple(self.problems),
            cpu_s=self.cpu_s,
            wall_s=self.wall_s,
            memory_kb=self.memory_kb,
            protected=protected,
        )


def execute_task(task: Task, sandbox: Sandbox) -> Run:
    """Run a submission. When a cell hangs or kills the process, another pass runs the rest without it.

    Raises:
        SandboxError: the sandbox does not work.
    """
    collector = RunCollector()
    cells: Sequence[Cell] = task.cells
    for deaths in range(MAX_PASSES):
        if collector.wall_s > sandbox.limits.submission_s:
            collector.problems.append(OUT_OF_TIME)
            break
        outcome = sandbox.run([{"index": cell.index, "source": cell.source} for cell in cells], task.keys)
        collector.add(outcome)
        if outcome.finished or outcome.last_cell is None:
            break
        culprit = next((cell for cell in task.cells if cell.index == outcome.last_cell), None)
        collector.problems.append(describe_end(outcome, culprit))
        # A notebook that is too slow as a whole, or that dies again and again, runs with its essential cells only.
        essential_only = deaths >= 2 or outcome.wall_s >= sandbox.limits.notebook_s
        cells = cells_of_next_pass(cells, outcome, set(collector.evidence), essential_only)
        if not any(cell.role == "test" for cell in cells):
            break
    return collector.freeze(task.digest, sandbox.protected)


def cells_of_next_pass(cells: Sequence[Cell], outcome: Pass, answered: set[str], essential_only: bool) -> list[Cell]:
    """Return the cells of the next pass: without the one that ended this pass, and without tests that are done."""
    return [
        cell
        for cell in cells
        if cell.index != outcome.last_cell
        and (cell.role in ESSENTIAL or not essential_only)
        and not (cell.role == "test" and cell.exercise in answered)
    ]


def describe_end(outcome: Pass, cell: Cell | None) -> str:
    """Say in a sentence which cell ended a pass, and how."""
    what = ENDS.get(outcome.ended_by, "did not finish")
    where = f"The cell of {cell.exercise}" if cell and cell.exercise else f"Cell {(outcome.last_cell or 0) + 1}"
    return f"{where} {what}; it was left out, and the rest was graded without it."
