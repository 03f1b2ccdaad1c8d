"""Run one submission: pass over its cells until all evidence that can be had has arrived.

Workers import this and the sandbox, and neither torch nor a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograder.errors import MachineTooBusy
from autograder.running.run_types import Cell, EvidenceFiles, Pass, Run, Task
from autograder.running.sandbox import Sandbox

ESSENTIAL = ("setup", "definitions", "answer", "test")
MAX_PASSES = 12  # more than a lab has exercises: each may hang once
MAX_OUTPUTS = 48 * 2**20  # bytes of outputs that are stored of a submission
LEFT_OUT = {"output_type": "stream", "name": "stdout", "text": "[outputs were left out: this notebook has too many]\n"}
BUSY_RUNS = 3  # of one submission that a busy machine may make too long
OUT_OF_TIME = "The time for this notebook is used up; what was not reached was not graded."
TOO_BUSY = (
    "The machine was too busy to run this notebook: {where} was not finished after {wall:.0f} s, of which it has used "
    "only {used:.0f} s itself. No points are lost: nothing was graded. Run the command again when the machine has less "
    "other work, or with fewer `--workers`."
)
ENDS = {
    "timeout": "ran past its time limit",
    "idle": "ran past its time limit while it waited for something that did not happen",
    "death": "ended the process",
    "flood": "wrote more than the grader accepts",
    "memory": "used more memory than the grader gives",
    "processes": "started more processes or threads than the grader allows",
    "files": "wrote more files than the grader allows",
    "descriptors": "had more files open than the grader allows",
    "sockets": "opened more sockets than the grader allows",
    "hidden": "hid a process from the grader, which cannot count what that process uses",
}


class RunCollector:
    """Collects passes, and turns into a `Run` at the end. Of each cell and exercise the first result counts."""

    def __init__(self) -> None:
        self.evidence: dict[str, tuple[EvidenceFiles, ...]] = {}
        self.outputs: dict[int, dict] = {}
        self.problems: list[str] = []
        self.used_s = self.cpu_s = self.wall_s = self.memory_kb = 0.0
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
        self.used_s += outcome.used_s
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

    What a busy machine made too long is run again, and its first result is not used: otherwise the grade would depend
    on what else the machine does.

    Raises:
        MachineTooBusy: the machine was too busy in `BUSY_RUNS` runs.
        SandboxError: the sandbox does not work.
    """
    collector = RunCollector()
    cells: Sequence[Cell] = task.cells
    deaths = busy = 0
    while deaths < MAX_PASSES:
        if collector.used_s > sandbox.limits.submission_s:
            collector.problems.append(OUT_OF_TIME)
            break
        outcome = sandbox.run([{"index": cell.index, "source": cell.source} for cell in cells], task.challenge_keys)
        if outcome.ended_by == "busy":
            busy += 1
            if busy == BUSY_RUNS:
                facts = {"where": where(outcome, task), "wall": outcome.wall_s, "used": outcome.used_s}
                raise MachineTooBusy(TOO_BUSY.format(**facts))
            continue
        collector.add(outcome)
        if outcome.finished or outcome.last_cell is None:
            break
        collector.problems.append(describe_end(outcome, task))
        # A notebook that is too slow as a whole, or that dies again and again, runs with its essential cells only.
        essential_only = deaths >= 2 or outcome.used_s >= sandbox.limits.notebook_s
        deaths += 1
        cells = cells_of_next_pass(cells, outcome, set(collector.evidence), essential_only)
        if not any(cell.role == "test" for cell in cells):
            break
    return collector.freeze(task.submission_hash, sandbox.protected)


def cells_of_next_pass(cells: Sequence[Cell], outcome: Pass, answered: set[str], essential_only: bool) -> list[Cell]:
    """Return the cells of the next pass: without the one that ended this pass, and without tests that are done."""
    return [
        cell
        for cell in cells
        if cell.index != outcome.last_cell
        and (cell.role in ESSENTIAL or not essential_only)
        and not (cell.role == "test" and cell.exercise in answered)
    ]


def describe_end(outcome: Pass, task: Task) -> str:
    """Say in a sentence which cell ended a pass, and how."""
    what = ENDS.get(outcome.ended_by, "did not finish")
    return f"{where(outcome, task)} {what}; it was left out, and the rest was graded without it."


def where(outcome: Pass, task: Task) -> str:
    """Name the cell that a pass ended in."""
    cell = next((cell for cell in task.cells if cell.index == outcome.last_cell), None)
    return f"The cell of {cell.exercise}" if cell and cell.exercise else f"Cell {(outcome.last_cell or 0) + 1}"
