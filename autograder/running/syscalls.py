"""A seccomp filter that denies the system calls that a notebook does not need."""

from __future__ import annotations

import platform
import struct

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Calls that read other processes, allocate memory that no limit counts, leave something behind in the namespace, or
# reach parts of the kernel that have had many faults. Name -> its number on each architecture.
DENIED_CALLS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "io_uring_setup": (425, 425),
}


def call_filter() -> bytes | None:
    """Return the filter as a BPF program for seccomp, or None on an architecture that is not listed."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        return None
    column = list(ARCHITECTURES).index(machine)
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06  # BPF: load a word, jump if ==, jump if >=, return
    allow, deny, kill = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # SECCOMP_RET_…; 1 is EPERM
    calls = [numbers[column] for numbers in DENIED_CALLS.values()]
    program = [(load, 0, 0, 4), (equal, 1, 0, ARCHITECTURES[machine]), (answer, 0, 0, kill), (load, 0, 0, 0)]
    # A test that succeeds jumps over the tests that are left and over "allow".
    program += [(at_least, len(calls) + 1, 0, 0x40000000)]  # the x32 numbering of the same calls
    program += [(equal, len(calls) - i, 0, number) for i, number in enumerate(calls)]
    program += [(answer, 0, 0, allow), (answer, 0, 0, deny)]
    return b"".join(struct.pack("HBBI", *line) for line in program)
