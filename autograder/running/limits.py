"""What one submission may use."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What one submission may use. The whole numbers are sent to the sandbox; the times are kept outside."""

    cell_s: float = 60.0  # wall time of a cell
    notebook_s: float = 300.0  # wall time of a pass over the cells
    cpu_s: int = 300
    submission_s: float = 900.0  # wall time of all passes together: after this, no further pass begins
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
