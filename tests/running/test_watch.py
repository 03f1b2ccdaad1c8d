"""The watch counts what all processes of a run use together. What it cannot read, it counts as used."""

import mmap
import os

import pytest

from autograder.running import watch as watch_module
from autograder.running.limits import MIB, Limits
from autograder.running.processes import ProcessUse, mappings
from autograder.running.watch import Watch, local_socket_bytes, socket_bytes, tcp_socket_bytes

LIMITS = Limits(files=100, descriptors=50, socket_bytes=100 * MIB)
TEMPLATE = ProcessUse(2, 1, "S", 100, 100, 1, 0.0)
MEMBER = ProcessUse(3, 2, "S", 100, 100, 1, 0.0)


@pytest.fixture
def machine(monkeypatch):
    """What the watch reads, to be changed by a test: its names are those of the functions."""
    reads = {"descendants": [TEMPLATE, MEMBER], "open_descriptors": 10, "files_used": 5, "socket_bytes": 0}
    for name in reads:
        monkeypatch.setattr(watch_module, name, lambda *_, name=name: reads[name])
    return reads


def looks(watch, times=1):
    """Return what the last of several looks says."""
    said = ""
    for _ in range(times):
        watch.next_look = 0.0
        said = watch.look()
    return said


@pytest.fixture
def watch(machine):
    """A watch over a run whose first cell has begun."""
    one = Watch(1, LIMITS)
    one.clock.begin_cell()
    return one


def test_an_ordinary_run_goes_on(watch):
    assert looks(watch, 5) == ""


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("open_descriptors", 51, "descriptors"),
        ("files_used", 101, "files"),
        ("socket_bytes", 101 * MIB, "sockets"),
        ("descendants", [TEMPLATE, *[MEMBER] * 64], "processes"),
        ("descendants", [TEMPLATE, ProcessUse(3, 2, "S", 100, 100, 513, 0.0)], "processes"),
        ("descendants", [TEMPLATE, ProcessUse(3, 2, "S", 3000 * MIB, 100, 1, 0.0)], "memory"),
        ("descendants", [TEMPLATE, *[ProcessUse(3, 2, "S", 60 * MIB, 100, 1, 0.0)] * 40], "memory"),
    ],
)
def test_each_limit_ends_the_run(name, value, reason, watch, machine):
    machine[name] = value
    assert looks(watch) == reason


def test_files_are_counted_at_the_end_of_a_cell_before_the_next_look(watch, machine):
    assert looks(watch) == ""
    machine["files_used"] = 101
    watch.next_count = 0.0
    assert watch.look() == "" and watch.count_after_cell() == "files"
    machine["files_used"] = 100
    watch.next_count = 0.0
    assert watch.count_after_cell() == ""


@pytest.mark.parametrize("name", ["open_descriptors", "files_used"])
def test_a_process_that_cannot_be_read_ends_the_run(name, watch, machine):
    """One look may fall into the moment in which a process ends."""
    machine[name] = None
    assert looks(watch) == ""
    machine[name] = 1
    assert looks(watch, 3) == ""
    machine[name] = None
    assert looks(watch, 2) == "hidden"


def test_processes_that_end_one_after_the_other_hide_nothing(watch, machine):
    """A process that ends cannot be read for a moment; each look meets another one."""
    machine["open_descriptors"] = None
    for pid in range(10, 20):
        machine["descendants"] = [TEMPLATE, ProcessUse(pid, 2, "R", 100, 100, 1, 0.0)]
        assert looks(watch) == ""


def test_shared_memory_counts_however_little_a_process_maps(watch, machine, monkeypatch):
    """A newly started program maps less than the template does."""
    monkeypatch.setattr(watch_module, "mappings", lambda found, most: (1, 3000 * MIB))
    assert "memory" in [looks(watch) for _ in range(watch_module.MAPS_EVERY)]


def test_too_many_mappings_end_the_run_and_do_not_hold_up_the_watch(watch, monkeypatch):
    monkeypatch.setattr(watch_module, "mappings", lambda found, most: (most + 1, 0))
    assert "memory" in [looks(watch) for _ in range(watch_module.MAPS_EVERY)]
    monkeypatch.undo()
    myself = ProcessUse(os.getpid(), 1, "R", 100, 100, 1, 0.0)
    every, _ = mappings([myself], 10**6)
    assert every > 20 and mappings([myself] * 50, 2 * every)[0] == 2 * every + 1


def test_shared_memory_of_several_processes_counts_once():
    with mmap.mmap(-1, 4 * MIB):
        myself = ProcessUse(os.getpid(), 1, "R", 100, 100, 1, 0.0)
        _, once = mappings([myself], 10**6)
        assert once >= 4 * MIB and mappings([myself, myself], 10**6)[1] == once


def test_the_template_and_ended_processes_need_not_be_read(watch, machine):
    machine["open_descriptors"] = None
    machine["descendants"] = [TEMPLATE, ProcessUse(3, 2, "Z", 0, 0, 1, 0.0), ProcessUse(4, 2, "R", 0, 0, 1, 0.0)]
    assert looks(watch, 5) == ""


def test_before_the_first_cell_the_child_is_as_closed_as_the_template(machine):
    machine["open_descriptors"] = None
    assert looks(Watch(1, LIMITS), 5) == ""


def test_sockets_count_at_their_largest(monkeypatch):
    texts = {
        "/proc/7/net/sockstat": b"sockets: used 5\nTCP: inuse 2 orphan 0 tw 3 alloc 9 mem 9\n",
        "/proc/sys/net/core/wmem_default": b"1000\n",
        "/proc/sys/net/core/wmem_max": b"2000\n",
        "/proc/sys/net/ipv4/tcp_rmem": b"1\t2\t30000\n",
        "/proc/sys/net/ipv4/tcp_wmem": b"1\t2\t10000\n",
    }
    monkeypatch.setattr(watch_module, "read_bytes", lambda path: texts.get(path, b""))
    assert local_socket_bytes() == 4000 and tcp_socket_bytes() == 40000
    assert socket_bytes(7) == 5 * 4000 + (2 + 3) * 40000


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every process")
def test_a_submission_that_hides_a_process_is_ended(sandbox):
    source = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); time.sleep(60)"
    outcome = sandbox.run([{"index": 0, "source": source}], {})
    assert outcome.ended_by == "hidden"
