"""A seccomp filter that denies the system calls that a notebook does not need.

Some calls are denied altogether, some only with certain arguments: a process may change its own limits, for example,
and no other's. A filter sees the arguments themselves and not what a pointer leads to.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from dataclasses import dataclass

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Calls that read or change other processes, allocate memory that no limit counts, leave something behind in the
# namespace, or reach parts of the kernel that have had many faults. Name -> its number on each architecture.
DENIED_CALLS: dict[str, tuple[int, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # Priority and scheduling class. A process that slows itself down would look like one on a busy machine.
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    # A file of memfd_create has no name: it is in no file system whose size is bounded, and no process needs to map it.
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
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "quotactl": (179, 60),
    "acct": (163, 89),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "quotactl_fd": (443, 443),
    # Each of these takes memory of the kernel, or a number that all programs of the user or the machine share, and no
    # limit of a process counts it: watches, requests for disks, filters and rules of the submission's own.
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "io_setup": (206, 0),
    "seccomp": (317, 277),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
FIRST_UNKNOWN = 463  # on both architectures: later calls did not exist when this list was made

TEMPLATE = 1  # the template's process id in its namespace
NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
TIOCSTI, TIOCLINUX = 0x5412, 0x541C  # put characters into a terminal's input
PR_SET_SECCOMP, PR_SCHED_CORE = 22, 62
F_SETLEASE, F_NOTIFY = 1024, 1026
F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW = 6, 7, 37, 38


@dataclass(frozen=True)
class Rule:
    """A call that is denied or allowed by the lower 32 bits of one argument.

    Attributes:
        numbers: of the call on each architecture; None where it does not exist.
        argument: its place, from 0.
        values: what the argument is compared with.
        only: these values are allowed and all others denied; otherwise these values are denied and all others allowed.
        error: what a denied call returns.
    """

    numbers: tuple[int | None, int | None]
    argument: int
    values: tuple[int, ...]
    only: bool = False
    error: int = errno.EPERM


RULES = {
    # Of the own process alone. It is named by 0: a filter does not know the caller's number.
    "prlimit64": Rule((302, 261), 0, (0,), only=True),
    "sched_setaffinity": Rule((203, 122), 0, (0,), only=True),
    # No signal reaches the template, and no handle on it.
    "kill": Rule((62, 129), 0, (TEMPLATE,)),
    "tkill": Rule((200, 130), 0, (TEMPLATE,)),
    "tgkill": Rule((234, 131), 0, (TEMPLATE,)),
    "rt_sigqueueinfo": Rule((129, 138), 0, (TEMPLATE,)),
    "rt_tgsigqueueinfo": Rule((297, 240), 0, (TEMPLATE,)),
    "pidfd_open": Rule((434, 434), 0, (TEMPLATE,)),
    # A network namespace does not cover vsock, for example, which leads from a virtual machine to its host.
    "socket": Rule((41, 198), 0, (AF_UNIX, AF_INET, AF_INET6), only=True, error=errno.EAFNOSUPPORT),
    "socketpair": Rule((53, 199), 0, (AF_UNIX,), only=True, error=errno.EAFNOSUPPORT),
    "ioctl": Rule((16, 29), 1, (TIOCSTI, TIOCLINUX)),
    "prctl": Rule((157, 167), 0, (PR_SET_SECCOMP, PR_SCHED_CORE)),
    # A lease stops every program of the user that opens the same file, also outside: the files of the environment are
    # the grader's own. Locks of single bytes take memory of the kernel without end; `flock` stays.
    "fcntl": Rule(
        (72, 25), 1, (F_SETLEASE, F_NOTIFY, F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW), error=errno.ENOLCK
    ),
}
CLONE = (56, 220)
CLONE3 = 435  # its flags are behind a pointer; where the call does not exist, the C library uses clone

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000  # SECCOMP_RET_…
Line = tuple[int, int, int, int]  # code, jump if true, jump if false, value


def call_filter() -> bytes | None:
    """Return the filter as a BPF program for seccomp, or None on an architecture that is not listed."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        return None
    column = list(ARCHITECTURES).index(machine)
    deny = (RETURN, 0, 0, ERRNO | errno.EPERM)
    program: list[Line] = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, ARCHITECTURES[machine]), (RETURN, 0, 0, KILL)]
    program += [(LOAD, 0, 0, 0), (AT_LEAST, 0, 1, 0x40000000), deny]  # the x32 numbering of the same calls
    program += [(AT_LEAST, 0, 1, FIRST_UNKNOWN), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    for numbers in DENIED_CALLS.values():
        if (number := numbers[column]) is not None:
            program += [(EQUAL, 0, 1, number), deny]
    for rule in RULES.values():
        if (number := rule.numbers[column]) is not None:
            program += block(number, rule)
    program += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    program += [(EQUAL, 0, 4, CLONE[column]), (LOAD, 0, 0, 16), (ANY_BIT, 0, 1, NEW_NAMESPACES), deny]
    program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("HBBI", *line) for line in program)


def open_filter() -> int | None:
    """Return a descriptor that the filter can be read from, or None if there is no filter."""
    program = call_filter()
    if program is None:
        return None
    reading, writing = os.pipe()
    os.write(writing, program)
    os.close(writing)
    return reading


def block(number: int, rule: Rule) -> list[Line]:
    """Return the lines that decide one call by an argument. Any other call jumps over them."""
    deny, allow = (RETURN, 0, 0, ERRNO | rule.error), (RETURN, 0, 0, ALLOW)
    listed, others = (allow, deny) if rule.only else (deny, allow)
    tests = len(rule.values)
    lines: list[Line] = [(LOAD, 0, 0, 16 + 8 * rule.argument)]
    lines += [(EQUAL, tests - i, 0, value) for i, value in enumerate(rule.values)]  # to `listed`, after `others`
    lines += [others, listed]
    return [(EQUAL, 0, len(lines), number), *lines]
