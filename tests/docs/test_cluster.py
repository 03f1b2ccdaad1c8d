"""The page about many machines: its commands, as they stand there, on hosts that share neither folder nor network.

A host is a network namespace with a cable to a switch, and a mount namespace in which its own copy of the course takes
the place of this repository's code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from autograder import ROOT
from autograder.course.labs import find_lab
from autograder.gradebook.nbgrader import with_bin_on_path
from autograder.judging.class_run import judge_class, open_class
from tests.events import await_event
from tests.lab4_class import make_class

PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```", PAGE, re.M | re.S))
CODE = ("autograder", "utils", "solutions")  # what a host's own copy replaces
STUDENTS = 14
SWITCH = "guidance0"
LAB = find_lab("lab4")

can_make_hosts = os.geteuid() == 0 and shutil.which("ip") and shutil.which("openssl")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_make_hosts, reason="hosts are made of namespaces: this needs root, ip and openssl"),
]


def ip(*words: str) -> None:
    """Run `ip …`."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Host:
    """One host; number N has the address 10.0.0.N.

    Args:
        number: From 1 to 9.
        folder: An empty folder for its copy of the course.
        hidden: A folder that it must not see.
    """

    def __init__(self, number: int, folder: Path, hidden: Path | None):
        self.name, self.folder, self.hidden = f"guidance-host{number}", folder, hidden
        self.cable, self.processes = f"guidance{number}", list[subprocess.Popen]()
        self.address = f"10.0.0.{number}/24"
        for name in CODE:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))

    def connect(self) -> None:
        """Make its network, and plug its cable into the switch."""
        ip("netns", "add", self.name)
        ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", self.cable, "master", SWITCH, "up")
        ip("-n", self.name, "addr", "add", self.address, "dev", "eth0")
        for link in ("eth0", "lo"):
            ip("-n", self.name, "link", "set", link, "up")
        ip("-n", self.name, "route", "add", "default", "dev", "eth0")  # tells Dask which address is the host's own

    def start(self, command: str, log: Path) -> subprocess.Popen:
        """Start a command of the page with its settings; the folder with the key is the current one."""
        mounts = [f"mount --bind {self.folder / name} {ROOT / name}" for name in CODE]
        mounts += [f"mount -t tmpfs none {self.hidden}"] if self.hidden else []
        script = "\n".join(["set -e", *mounts, BLOCKS["settings"], f"exec {command.strip()}"])
        script = script.replace('WORKER_TTL="60 s"', 'WORKER_TTL="10 s"')
        inside = ["ip", "netns", "exec", self.name, "unshare", "--mount", "--propagation", "private", "bash", "-c"]
        with log.open("w") as file:
            process = subprocess.Popen(
                [*inside, script],
                cwd=log.parent,
                env=with_bin_on_path(),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def cut(self) -> None:
        """Unplug the cable: no other host is told."""
        ip("link", "set", self.cable, "down")

    def end(self) -> None:
        """Kill everything on the host, and remove it."""
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True)
        for pid in found.stdout.split():
            subprocess.run(["kill", "-9", pid], capture_output=True)
        for process in self.processes:
            process.kill()
            process.wait()
        # The kernel removes a network some time after its name: the cable would be in the next test's way.
        subprocess.run(["ip", "link", "del", self.cable], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)


@pytest.fixture
def place(tmp_path):
    """A folder with the key, and a switch."""
    subprocess.run(["bash", "-ec", BLOCKS["key"]], cwd=tmp_path, check=True, capture_output=True)
    ip("link", "add", SWITCH, "type", "bridge")
    ip("link", "set", SWITCH, "up")
    yield tmp_path
    ip("link", "del", SWITCH)


@pytest.fixture
def hosts(place):
    """Five hosts: the first has the class; the fifth has another version of the course."""
    made = []
    try:
        for number in range(1, 6):
            (place / f"host{number}").mkdir()
            made.append(Host(number, place / f"host{number}", hidden=place / "course" if number > 1 else None))
            made[-1].connect()
        with (place / "host5" / "utils" / "checks" / "__init__.py").open("a") as file:
            file.write("\n# of next year\n")
        yield made
    finally:
        for host in made:
            host.end()


def finished(course: Path) -> int:
    """Return how many runs are stored."""
    return len(list((course / "store").glob("*/[!.]*/run.json")))


def joined(log: Path, number: int) -> bool:
    """Tell whether a scheduler's log has registered this many workers."""
    return log.read_text().count("Register worker") >= number


def test_the_pages_commands_grade_a_class_on_three_hosts(needs_bubblewrap, place, hosts):
    """One host is lost in the middle, another joins, and a fifth is refused."""
    course = make_class(place / "course", STUDENTS)
    first, second, third, late, other = hosts
    one_worker = BLOCKS["worker"].replace("--nworkers 8", "--nworkers 1")
    log = place / "scheduler.log"
    scheduler = first.start(BLOCKS["scheduler"], log)
    await_event(lambda: "Scheduler at" in log.read_text(), scheduler, "the scheduler", 120)
    for number, host in enumerate((second, third, other)):
        worker = host.start(one_worker, place / f"worker{number}.log")
        await_event(partial(joined, log, number + 1), worker, "a worker", 200)
    printed = place / "grade.log"
    command = BLOCKS["grade"].strip() + f" --course {course} --no-gradebook"
    grading = first.start(command, printed)
    await_event(lambda: finished(course) >= 2, grading, "two stored runs", 400)
    second.cut()
    late.start(one_worker, place / "late.log")
    assert finished(course) < STUDENTS, "the host has to be lost in the middle"
    assert grading.wait(1200) == 0, printed.read_text()
    text = " ".join(printed.read_text().split())
    assert re.search(
        r"the worker tls://10\.0\.0\.5:\d+ was refused, because it has another version of the course", text
    )
    assert joined(log, 4), "the late host has joined"
    class_run = open_class(LAB, course / "submitted", course)
    assert all(class_run.store.can_use(one.key, protected=True) for one in class_run.students)
    judge_class(class_run)
    mistaken = [number for number in range(STUDENTS) if number % 3 == 1]
    for number, one in enumerate(class_run.students):
        assert one.grade is not None
        right = one.grade.points == one.grade.max_points
        assert right == (number not in mistaken), (one.student, one.grade)


def test_without_the_key_nobody_is_let_in(place, hosts):
    log = place / "scheduler.log"
    scheduler = hosts[0].start(BLOCKS["scheduler"], log)
    await_event(lambda: "Scheduler at" in log.read_text(), scheduler, "the scheduler", 120)
    subprocess.run(["bash", "-ec", BLOCKS["key"]], cwd=place, check=True, capture_output=True)  # another key
    refused = place / "worker.log"
    worker = hosts[1].start(BLOCKS["worker"].replace("--nworkers 8", "--nworkers 1 --death-timeout 15"), refused)
    assert worker.wait(200) is not None and not joined(log, 1)
