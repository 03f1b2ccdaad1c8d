"""The filter of system calls, read as the kernel reads it, on both architectures."""

import errno
import platform
import struct

import pytest

from autograder.running import syscalls

ALLOWED = syscalls.ALLOW


def answer(program, number, arguments=(0,) * 6, architecture=syscalls.ARCHITECTURES["x86_64"]):
    """Run a BPF program on one call, and return what it answers."""
    data = struct.pack("<iIQ6Q", number, architecture, 0, *arguments)
    lines = [struct.unpack("HBBI", program[i : i + 8]) for i in range(0, len(program), 8)]
    place = value = 0
    while True:
        code, if_true, if_false, word = lines[place]
        place += 1
        if code == syscalls.LOAD:
            value = struct.unpack_from("<I", data, word)[0]
        elif code == syscalls.RETURN:
            return word
        else:
            holds = {
                syscalls.EQUAL: value == word,
                syscalls.AT_LEAST: value >= word,
                syscalls.ANY_BIT: bool(value & word),
            }[code]
            place += if_true if holds else if_false


@pytest.fixture(params=syscalls.ARCHITECTURES)
def ask(request, monkeypatch):
    """A function from the name of a call and its arguments to the filter's answer."""
    monkeypatch.setattr(platform, "machine", lambda: request.param)
    column = list(syscalls.ARCHITECTURES).index(request.param)
    program = syscalls.call_filter()

    def answer_of(name, *arguments):
        numbers = syscalls.DENIED_CALLS.get(name) or syscalls.RULES[name].numbers
        given = (*arguments, *(0,) * (6 - len(arguments)))
        return answer(program, numbers[column], given, syscalls.ARCHITECTURES[request.param])

    answer_of.exists = lambda name: syscalls.DENIED_CALLS[name][column] is not None
    answer_of.number = lambda number, *rest: answer(
        program, number, (*rest, *(0,) * (6 - len(rest))), syscalls.ARCHITECTURES[request.param]
    )
    answer_of.clone = syscalls.CLONE[column]
    return answer_of


def test_calls_that_no_notebook_needs_are_denied(ask):
    denied = {ask(name) for name in syscalls.DENIED_CALLS if ask.exists(name)}
    assert denied == {syscalls.ERRNO | errno.EPERM}


def test_calls_that_are_newer_than_the_list_do_not_exist(ask):
    """The next kernel's io_uring is not to be allowed because nobody knew it."""
    assert ask.number(syscalls.FIRST_UNKNOWN) == ask.number(10_000) == syscalls.ERRNO | errno.ENOSYS
    assert ask.number(syscalls.FIRST_UNKNOWN - 1) == ALLOWED


def test_files_are_locked_whole_and_never_leased(ask):
    """A lease stops everybody who opens the file; each lock of a byte takes memory of the kernel."""
    for command in (6, 7, 37, 38, 1024, 1026):
        assert ask("fcntl", 3, command) == syscalls.ERRNO | errno.ENOLCK, command
    for command in (0, 1, 2, 3, 4, 5, 8, 1030, 1031, 1033):  # copies, flags, owners, sizes of pipes, seals
        assert ask("fcntl", 3, command) == ALLOWED, command


def test_a_submission_installs_no_filter_of_its_own(ask):
    assert ask("prctl", 22) == syscalls.ERRNO | errno.EPERM
    assert ask("prctl", 15) == ALLOWED


def test_a_process_changes_its_own_limits_and_no_others(ask):
    for name in ("prlimit64", "sched_setaffinity"):
        assert ask(name, 0) == ALLOWED
        assert [ask(name, pid) for pid in (1, 2, 2**32 - 1)] == [syscalls.ERRNO | errno.EPERM] * 3


def test_no_signal_reaches_the_template(ask):
    for name in ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open"):
        assert ask(name, 1) == ask(name, 2**32 + 1) == syscalls.ERRNO | errno.EPERM, name
        assert ask(name, 2) == ask(name, 2**32 - 1) == ALLOWED, name


def test_only_local_sockets_and_those_of_the_namespace(ask):
    for family in range(50):
        expected = ALLOWED if family in (1, 2, 10) else syscalls.ERRNO | errno.EAFNOSUPPORT
        assert ask("socket", family) == expected
        assert ask("socketpair", family) == (ALLOWED if family == 1 else syscalls.ERRNO | errno.EAFNOSUPPORT)


def test_threads_are_made_and_namespaces_are_not(ask):
    threads, forks = 0x3D0F00, 17
    assert ask.number(ask.clone, threads) == ask.number(ask.clone, forks) == ALLOWED
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert ask.number(ask.clone, flag | forks) == syscalls.ERRNO | errno.EPERM
    assert ask.number(syscalls.CLONE3) == syscalls.ERRNO | errno.ENOSYS


def test_other_numberings_of_calls_are_not_allowed(ask):
    assert ask.number(0x40000000 | 101) == syscalls.ERRNO | errno.EPERM
    assert answer(syscalls.call_filter(), 0, architecture=0x40000003) == syscalls.KILL


def test_every_call_has_one_number_on_each_architecture():
    for column in (0, 1):
        numbers = [n[column] for n in syscalls.DENIED_CALLS.values() if n[column] is not None]
        numbers += [rule.numbers[column] for rule in syscalls.RULES.values()]
        numbers += [syscalls.CLONE[column], syscalls.CLONE3]
        assert len(set(numbers)) == len(numbers)


def test_an_unknown_architecture_has_no_filter(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert syscalls.call_filter() is None and syscalls.open_filter() is None
