"""What one submission may use, and what came out of one pass over its cells."""

from __future__ import annotations

from dataclasses import dataclass, field

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    cell_s: float = 60.0  # wall time of a cell
    notebook_s: float = 300.0  # wall time of a pass
    cpu_s: int = 300
    submission_s: float = 900.0  # all passes together: no further one is begun after this
    memory_bytes: int = 2048 * MIB  # of a process on top of the template's, and of all processes together
    file_bytes: int = 256 * MIB
    scratch_bytes: int = 512 * MIB
    open_files: int = 256
    processes: int = 64  # at one time
    tasks: int = 512  # processes and threads; the kernel counts them only where the grader is not root
    output_bytes: int = 1 * MIB  # a cell
    frame_bytes: int = 16 * MIB
    total_bytes: int = 128 * MIB
    frames: int = 4000  # on top of two for each cell


@dataclass
class Pass:
    """What came out of one pass over the cells. None of it is trusted."""

    outputs: dict[int, dict] = field(default_factory=dict)  # cell -> {"outputs", "execution_count"}
    output_bytes: dict[int, int] = field(default_factory=dict)  # cell -> their size as they came
    evidence: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    finished: bool = False
    ended_by: str = ""  # "timeout", "death", "flood", "memory", "processes" or ""
    last_cell: int | None = None  # the cell that was running
    cpu_s: float = 0.0
    memory_kb: float = 0.0
    wall_s: float = 0.0
