"""What one submission may use."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What one submission may use. The whole numbers are sent to the sandbox; the times are kept outside.

    Times are seconds of a processor, of all processes together, and as many seconds of waiting for something of the
    submission's own; see `clock`. They do not depend on how busy the machine is.
    """

    cell_s: float = 60.0
    notebook_s: float = 300.0  # a pass over the cells
    cpu_s: int = 300  # of one process; the kernel's own limit
    submission_s: float = 900.0  # all passes together: after this, no further pass begins
    busy_factor: float = 10.0  # wall time may be this many times longer; what runs past it is the machine's fault
    memory_bytes: int = 2048 * MIB  # of a process on top of the template's, and of all processes together
    mappings: int = 300_000  # of all processes together, 0.3 KB of the kernel each; 64 bare children have 100,000
    file_bytes: int = 256 * MIB
    scratch_bytes: int = 512 * MIB  # each of the two file systems in memory
    files: int = 20_000  # and folders in both of them: each takes about 1 KB of the kernel's memory
    open_files: int = 256  # of a process
    descriptors: int = 2048  # open files of all processes together
    socket_bytes: int = 512 * MIB  # that the buffers of all sockets can hold
    processes: int = 64  # at one time
    timers: int = 1024  # and signals that wait; other programs of the user draw on the same sum
    tasks: int = 512  # processes and threads; the kernel counts them only where the grader is not root
    output_bytes: int = 1 * MIB  # a cell
    frame_bytes: int = 16 * MIB
    total_bytes: int = 128 * MIB
    frames: int = 4000  # on top of two for each cell
