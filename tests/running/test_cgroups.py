"""Control groups: a delegated part of the tree, systemd, or none; and what the kernel counts in them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.running import cgroups
from autograder.running.cgroups import Group, make_group, placement
from autograder.running.limits import MIB, Limits
from autograder.running.watch import Watch


@pytest.fixture
def place(tmp_path):
    """A folder that looks like a delegated part of the tree."""
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (tmp_path / name).write_text("")
    return tmp_path


def fill(group, **files):
    """Write the files of a group; two underscores in a name stand for a dot."""
    for name, text in files.items():
        (group.folder / name.replace("__", ".")).write_text(text)


def test_a_group_bounds_memory_and_tasks_on_top_of_the_template(place):
    group = make_group(place)
    assert (place / "cgroup.subtree_control").read_text() == "+memory +pids"
    fill(
        group, memory__current="100\n", memory__max="max", memory__swap__max="max", pids__current="3\n", pids__max="max"
    )
    group.bound(Limits(memory_bytes=10, scratch_bytes=5, tasks=7))
    assert (group.folder / "memory.max").read_text() == "120" and (group.folder / "pids.max").read_text() == "10"
    assert (group.folder / "memory.swap.max").read_text() == "0" and group.controllers == {"memory", "pids"}


def test_a_group_counts_processor_time_and_deaths_by_memory(place):
    group = make_group(place)
    assert group.cpu_s() is None and group.killed_for_memory() == 0
    fill(group, cpu__stat="usage_usec 2500000\nuser_usec 1\n", memory__events="low 0\noom 2\noom_kill 1\n")
    assert group.cpu_s() == 2.5 and group.killed_for_memory() == 1


def test_a_run_that_the_kernel_ended_for_its_memory_says_memory(place):
    group = make_group(place)
    fill(group, memory__events="oom_kill 1\n")
    # A process of its own: this one may have a browser or a server of other tests below it, whose memory would count.
    with subprocess.Popen(["sleep", "600"]) as run:
        try:
            watch = Watch(run.pid, Limits(), group)
            assert watch.look() == ""
            fill(group, memory__events="oom_kill 2\n")
            watch.next_look = 0.0
            assert watch.look() == "memory"
        finally:
            run.kill()


def test_groups_of_killed_graders_are_removed_and_others_left(place):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, busy = place / f"{cgroups.PREFIX}{ended.pid}-0", place / f"{cgroups.PREFIX}{os.getpid()}-999"
    left.mkdir(), busy.mkdir()
    make_group(place)
    assert not left.exists() and busy.exists()


def test_a_place_that_may_not_be_written_gives_no_group(place, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(cgroups, "own_group", lambda pid="self": (place, place / "a" / "b"))
    assert cgroups.delegated_place() is None and make_group() is None


def test_the_new_group_stands_beside_the_own_one(place, monkeypatch):
    """A group with processes cannot have controlled groups below it."""
    (place / "session").mkdir()
    monkeypatch.setattr(cgroups, "own_group", lambda pid="self": (place.parent, place / "session"))
    assert cgroups.delegated_place() == place


def test_systemd_is_asked_where_nothing_is_delegated(monkeypatch, tmp_path):
    fake = tmp_path / "systemd-run"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    monkeypatch.setattr(cgroups.shutil, "which", lambda name: str(fake))
    monkeypatch.setattr(cgroups, "make_group", lambda: None)
    cgroups.systemd_command.cache_clear()
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    try:
        way = placement()
    finally:
        cgroups.systemd_command.cache_clear()
    assert way.wrap(["bwrap"])[:1] == [str(fake)] and way.wrap(["bwrap"])[-1] == "bwrap" and "--scope" in way.words
    assert way.environment() == {"XDG_RUNTIME_DIR": "/run/user/7"}
    monkeypatch.setattr(cgroups, "own_group", lambda pid="self": (tmp_path, tmp_path / "run-1.scope"))
    assert way.group_of(1) == Group(tmp_path / "run-1.scope", own=False)
    monkeypatch.setattr(cgroups, "own_group", lambda pid="self": (tmp_path, tmp_path / "session"))
    assert way.group_of(1) is None


def test_a_group_that_cannot_be_entered_is_not_used(place, monkeypatch):
    """Some containers show a tree that may be written, and refuse to move a process in it."""
    monkeypatch.setattr(cgroups, "delegated_place", lambda: place)
    monkeypatch.setattr(cgroups, "ENTER", "exit 1")
    monkeypatch.setattr(cgroups, "systemd_command", lambda: ())
    assert placement() == cgroups.Placement(None, ()) and not list(place.glob(f"{cgroups.PREFIX}*"))


def test_a_real_group_counts_what_runs_in_it():
    """Where this machine delegates one: processor time is counted, of children that nobody waits for too."""
    group = make_group()
    if group is None:
        pytest.skip("this machine delegates no control group to the user who runs the tests")
    spin = "import signal, os, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    spin += "if os.fork() == 0:\n    while time.process_time() < 0.3: pass\n    os._exit(0)\n"
    spin += "try: os.wait()\nexcept ChildProcessError: pass"
    way = cgroups.Placement(group, cgroups.entering(group))
    try:
        subprocess.run(way.wrap([sys.executable, "-c", spin]), check=True)
        assert group.cpu_s() >= 0.3
        if "memory" in group.controllers:
            group.bound(Limits(memory_bytes=50 * MIB, scratch_bytes=0))
            subprocess.run(way.wrap([sys.executable, "-c", "bytearray(300 << 20)"]), capture_output=True)
            assert group.killed_for_memory() >= 1
    finally:
        group.remove()
    assert not group.folder.exists()


def test_a_sandbox_leaves_no_group_behind(sandbox, needs_bubblewrap):
    from autograder.running.sandbox import Sandbox

    with Sandbox(Limits()) as box:
        folder = box.group.folder if box.group else None
        if folder is None:
            pytest.skip("this machine delegates no control group to the user who runs the tests")
        assert box.run([{"index": 0, "source": "1"}], {}).finished
    end = time.monotonic() + 10
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not Path(folder).exists()
